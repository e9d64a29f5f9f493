"""What an operator of a fragment runs with: its task's context, its own metrics, and memory that it accounts for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.fragment.metrics import OperatorMetrics
from flightmesh.fragment.task import TaskContext
from flightmesh.fragment.top_bound import TopBound
from flightmesh.fragment.turns import Turns
from flightmesh.ids import ColumnId
from flightmesh.kernel.key_filter import KeyFilter


@dataclass(slots=True)
class Site:
    """One operator's place in a running fragment. `position` is its index in the pre-order of the fragment's tree; `filters`
    are the dynamic filters that joins of this fragment have made until now, by number; `turns` is what the recursion around it
    keeps, if there is one; `encoded` are the columns of its output that may be dictionaries or decimal64; `bound` is what a
    TopRows that the operator is, or hands its rows to as they are, knows of the rows that it wants."""

    context: TaskContext
    metrics: OperatorMetrics
    position: int
    filters: dict[int, KeyFilter] = field(default_factory=dict)
    turns: Turns | None = None
    encoded: frozenset[ColumnId] = frozenset()
    bound: TopBound | None = None

    @contextmanager
    def memory(self, purpose: str) -> Iterator[Memory]:
        """An account that is given back whole when the block ends, however it ends."""
        account = Memory(self, purpose)
        try:
            yield account
        finally:
            account.give_back(account.held)


@dataclass(slots=True)
class Memory:
    """Bytes that one operator holds. The peak is a detail of its metrics."""

    site: Site
    purpose: str
    held: int = field(default=0)

    def take(self, size: int) -> None:
        """Accounts for `size` more bytes; raises ResourceExhausted past the budget."""
        self.site.context.reserve(size, self.purpose)
        self.held += size
        details = self.site.metrics.details
        details["memory_peak"] = max(details.get("memory_peak", 0), self.held)

    def give_back(self, size: int) -> None:
        """Accounts for `size` bytes less."""
        if size:
            self.site.context.release(size)
            self.held -= size

    def hold(self, size: int) -> None:
        """Takes or gives back so that exactly `size` bytes are held."""
        if size > self.held:
            self.take(size - self.held)
        else:
            self.give_back(self.held - size)

    def keep(self) -> None:
        """Leaves what is held to its object: it is accounted to the job from now on and not given back here."""
        self.held = 0


def batch_bytes(batch: pa.RecordBatch) -> int:
    """Bytes of a batch's rows, its share of buffers that it shares with others included."""
    return int(batch.nbytes)

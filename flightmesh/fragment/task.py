"""What a running task may use of its worker. `fragment` runs against this protocol; `runtime` and `exchange` provide it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import pyarrow as pa

from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.narrowing import MayMatch
from flightmesh.catalog.table import Split, Table
from flightmesh.ids import AttemptId, EdgeId
from flightmesh.kernel.key_filter import KeyFilter


class TaskContext(Protocol):
    """Handed to a fragment for one attempt. Every method may be called only from the attempt's own thread."""

    attempt: AttemptId
    morsel_rows: int

    def check(self) -> None:
        """Raises Cancelled when the attempt has been cancelled. Called between morsels."""

    def next_split(self, source: int) -> Split | None:
        """The next split of scan `source` of the stage, or None when there are none left. Gives up the slot while waiting."""

    def key_filter(self, number: int) -> KeyFilter | None:
        """A dynamic filter whose keys came from another stage, once they have."""

    def await_keys(self, numbers: Collection[int], seconds: float) -> None:
        """Waits until the keys of these dynamic filters have come, for no longer than so. Gives up the slot meanwhile."""

    def narrowed(self, table: Table, split: Split, columns: Mapping[str, MayMatch]) -> Split | None:
        """The part of a split whose rows, by what is known of them without reading, lie in each of `columns` (of the table) in
        a range that the test beside it lets pass; None when nothing is left."""

    def read_table(
        self, table: Table, split: Split, columns: tuple[str, ...], metrics: ReadMetrics | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a split as batches of the table's normalised types; texts that repeat may come as dictionaries."""

    def read_edge(self, edge: EdgeId) -> Iterator[pa.RecordBatch]:
        """The batches of this task's buckets of an edge, as they come, until the edge is sealed. Gives up the slot while
        waiting."""

    def read_edge_runs(self, edge: EdgeId) -> list[Iterator[pa.RecordBatch]]:
        """The same, one iterator a producer task: each is sorted if the edge has an order."""

    def shared(self, key: object) -> AbstractContextManager[SharedSlot]:
        """The worker's object of this job under `key` (a shared join build), entered by one task at a time: the first one in
        finds `value` None and fills it, others wait (without a slot) and then read it."""

    def reserve(self, bytes_wanted: int, purpose: str) -> None:
        """Accounts so many more bytes to this attempt; raises ResourceExhausted, naming `purpose`, past the budget. All is
        released when the attempt ends (what a shared object holds: when the job ends)."""

    def release(self, bytes_given_back: int) -> None:
        """Gives accounted bytes back."""


class SharedSlot:
    """Holds one shared object of a job on a worker."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: object | None = None

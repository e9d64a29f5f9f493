"""What an operator of a running fragment did: counted as batches pass, read while it runs and after it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import field

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.kernel.batch_size import BatchSize


@dataclass(slots=True)
class OperatorMetrics:
    """Counts of one operator of one attempt. `rows`, `batches` and `bytes` are its output.

    `cpu_ns` is this operator's own time on a CPU and `wait_ns` its own time off it (blocked on input, disk or a lock), both
    without its inputs' time. `details` holds what only some operators count (rows_read, row_groups, build_rows, ...).
    """

    operator: str
    rows: int = 0
    batches: int = 0
    bytes: int = 0
    cpu_ns: int = 0
    wait_ns: int = 0
    details: dict[str, int] = field(default_factory=dict)

    def count(self, detail: str, amount: int = 1) -> None:
        """Adds to a detail."""
        self.details[detail] = self.details.get(detail, 0) + amount


class Pull:
    """An operator's output as an iterator that keeps its metrics. Closing it ends the operator and then its inputs."""

    __slots__ = ("_batches", "_cpu_before", "_inputs", "_size", "_wait_before", "metrics", "total_cpu_ns", "total_ns")

    def __init__(self, batches: Iterator[pa.RecordBatch], inputs: tuple[Pull | Spent, ...], metrics: OperatorMetrics) -> None:
        """`metrics` go on from what they have: an operator may be run more than once."""
        self._batches = batches
        self._inputs = inputs
        self.metrics = metrics
        self._size = BatchSize()
        self._cpu_before, self._wait_before = metrics.cpu_ns, metrics.wait_ns
        self.total_cpu_ns = 0
        self.total_ns = 0

    def __iter__(self) -> Pull:
        return self

    def __next__(self) -> pa.RecordBatch:
        cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
        try:
            batch = next(self._batches)
        finally:
            self._clock(time.thread_time_ns() - cpu, time.perf_counter_ns() - wall)
        metrics = self.metrics
        metrics.rows += batch.num_rows
        metrics.batches += 1
        metrics.bytes += self._size.of(batch)
        return batch

    def _clock(self, cpu: int, wall: int) -> None:
        self.total_cpu_ns += cpu
        self.total_ns += wall
        own_cpu, own_wall = self.total_cpu_ns, self.total_ns
        for part in self._inputs:
            own_cpu -= part.total_cpu_ns
            own_wall -= part.total_ns
        self.metrics.cpu_ns = self._cpu_before + max(0, own_cpu)
        self.metrics.wait_ns = self._wait_before + max(0, own_wall - own_cpu)

    def close(self) -> None:
        """Ends the operator, then its inputs; harmless when they have ended."""
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()
        for part in self._inputs:
            part.close()


class Spent:
    """What the runs of a step have taken together: an input of the recursion, for whose own time theirs is left out."""

    def __init__(self) -> None:
        self._ended_cpu_ns = 0
        self._ended_ns = 0
        self._now: Pull | None = None

    def by(self, run: Pull) -> Pull:
        """Counts one more run, the last one having ended."""
        if self._now is not None:
            self._ended_cpu_ns += self._now.total_cpu_ns
            self._ended_ns += self._now.total_ns
        self._now = run
        return run

    @property
    def total_cpu_ns(self) -> int:
        """Time on a CPU."""
        return self._ended_cpu_ns + (0 if self._now is None else self._now.total_cpu_ns)

    @property
    def total_ns(self) -> int:
        """Time."""
        return self._ended_ns + (0 if self._now is None else self._now.total_ns)

    def close(self) -> None:
        """Ends the run that is under way."""
        if self._now is not None:
            self._now.close()

"""What an operator of a running fragment did: counted as batches pass, read while it runs and after it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa


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

    __slots__ = ("_batches", "_inputs", "metrics", "total_cpu_ns", "total_ns")

    def __init__(self, batches: Iterator[pa.RecordBatch], inputs: tuple[Pull, ...], metrics: OperatorMetrics) -> None:
        self._batches = batches
        self._inputs = inputs
        self.metrics = metrics
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
        self.metrics.rows += batch.num_rows
        self.metrics.batches += 1
        self.metrics.bytes += batch.nbytes
        return batch

    def _clock(self, cpu: int, wall: int) -> None:
        self.total_cpu_ns += cpu
        self.total_ns += wall
        own_cpu = self.total_cpu_ns - sum(i.total_cpu_ns for i in self._inputs)
        own_wall = self.total_ns - sum(i.total_ns for i in self._inputs)
        self.metrics.cpu_ns = max(0, own_cpu)
        self.metrics.wait_ns = max(0, own_wall - own_cpu)

    def close(self) -> None:
        """Ends the operator, then its inputs; harmless when they have ended."""
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()
        for part in self._inputs:
            part.close()

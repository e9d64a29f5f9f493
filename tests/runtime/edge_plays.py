"""An edge of a mesh for tests: its writers at some workers, its readers at others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.exchange.log import EdgeLog
from flightmesh.expression.nodes import Field
from flightmesh.ids import AttemptId, ColumnId, EdgeId, JobId, StageId, TaskId
from flightmesh.physical.operators import ColumnOrder
from flightmesh.physical.partitioning import Broadcast, Partitioning, Single
from flightmesh.protocol.messages import EdgePlan, ExchangeMode, Reader, Retention, Source
from flightmesh.runtime.task_context import RunningTask
from flightmesh.stage.graph import Edge
from flightmesh.worker.events import CloseLog, DropJob, NoteSources, OpenEdge, PushTo, SealLog, WorkerEffect
from tests.runtime.twin import Mesh, mesh_of, task_at

JOB = JobId(1)
EDGE = EdgeId(3)
N = Field(ColumnId(1), "n", pa.int64())
KIB = 1024
MODES = pytest.mark.parametrize("mode", list(ExchangeMode), ids=lambda mode: mode.value)
LINES = pytest.mark.parametrize("line", ["direct", "flight"])


def writer(index: int, number: int = 0) -> AttemptId:
    return AttemptId(TaskId(JOB, StageId(0), index), number)


def reader(index: int) -> AttemptId:
    return AttemptId(TaskId(JOB, StageId(1), index), 0)


def rows(first: int, count: int = 4) -> pa.RecordBatch:
    return pa.record_batch({N.key: pa.array(range(first, first + count), pa.int64())})


def wide(first: int) -> pa.RecordBatch:
    """64 KiB of numbers."""
    return pa.record_batch({N.key: np.arange(first, first + 8 * KIB)})


@dataclass
class Play:
    """One edge of a mesh: what its writers have put where, and who reads it."""

    mesh: Mesh
    plan: EdgePlan
    placed: dict[int, int] = field(default_factory=dict)

    def log(self, worker: int) -> EdgeLog:
        return self.mesh.workers[worker].store.log(JOB, EDGE)

    def put(self, worker: int, index: int, *batches: pa.RecordBatch, bucket: int = 0, number: int = 0) -> None:
        self.log(worker).append(writer(index, number), [(bucket, batch) for batch in batches])

    def place(self, *at: int) -> None:
        """Writer i is placed at worker `at[i]`; the readers are told."""
        self.placed.update(enumerate(at))
        self.tell(NoteSources(JOB, EDGE, self.sources()))

    def sources(self) -> tuple[Source, ...]:
        found: dict[int, list[int]] = {}
        for index, worker in self.placed.items():
            found.setdefault(worker, []).append(index)
        return tuple(
            Source(self.mesh.workers[w].worker, self.mesh.workers[w].address, tuple(indexes)) for w, indexes in found.items()
        )

    def place_readers(self, *at: int) -> None:
        """Reader i is placed at worker `at[i]`; of a PUT edge, the writers are told."""
        if self.plan.mode is ExchangeMode.PUT:
            twins = [self.mesh.workers[worker] for worker in at]
            readers = tuple(Reader(reader(index), twin.worker, twin.address) for index, twin in enumerate(twins))
            self.tell(PushTo(JOB, EDGE, readers))

    def written(self, worker: int, index: int) -> None:
        """Writer `index` has ended well at a worker."""
        self.mesh.workers[worker].board.note_written(writer(index), (self.plan,))

    def seal(self, *winners: AttemptId) -> None:
        won = winners or tuple(writer(index) for index in sorted(self.placed))
        self.tell(SealLog(JOB, EDGE, won, self.sources()))

    def close(self, first: int, last: int) -> None:
        self.tell(CloseLog(JOB, EDGE, first, last))

    def tell(self, effect: WorkerEffect) -> None:
        for twin in self.mesh.workers:
            twin.board.carry_out(effect)  # type: ignore[arg-type]


@contextmanager
def playing(
    mode: ExchangeMode,
    line: str = "direct",
    *,
    workers: int = 2,
    window: int = 256 * KIB,
    partitioning: Partitioning | None = None,
    producers: int = 2,
    consumers: int = 1,
    ordered: bool = False,
    patience: float = 30.0,
) -> Iterator[Play]:
    """An open edge on so many workers. At the end its job is dropped, and nothing of it is left anywhere."""
    order = (ColumnOrder(N.column()),) if ordered else ()
    edge = Edge(EDGE, StageId(0), StageId(1), partitioning or Single(), (N,), order)
    kept = Retention.JOB if isinstance(edge.partitioning, Broadcast) else Retention.READ
    plan = EdgePlan(edge, producers, consumers, 1, None, mode, kept)
    with mesh_of(workers, line, window=window, patience=patience) as mesh:
        play = Play(mesh, plan)
        play.tell(OpenEdge(JOB, plan))
        try:
            yield play
        finally:
            play.tell(DropJob(JOB))


@contextmanager
def reading(play: Play, worker: int, index: int = 0) -> Iterator[RunningTask]:
    twin = play.mesh.workers[worker]
    with task_at(twin, reader(index), play.plan) as task:
        yield task
    twin.board._edges.reader_over(reader(index), (EDGE,))


def numbers(batches: Iterator[pa.RecordBatch]) -> list[int]:
    return [value for batch in batches for value in batch.column(0).to_pylist()]

"""What a client reads of a result at a worker: under the user's names, whole or with an error, each partition once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pytest

from flightmesh.errors import Cancelled, FlightmeshError, InvalidTicket, UnknownJob, WorkerLost
from flightmesh.expression.nodes import Field
from flightmesh.ids import AttemptId, ColumnId, EdgeId, JobId, StageId, TaskId
from flightmesh.physical.partitioning import Single
from flightmesh.protocol.messages import EdgePlan
from flightmesh.protocol.tickets import ResultTicket
from flightmesh.runtime import result_streams
from flightmesh.runtime.result_streams import ResultStreams
from flightmesh.stage.graph import Edge
from flightmesh.transport.service import OutStream
from flightmesh.worker.events import DropJob, FailStreams, OpenEdge, ResultStreamDropped, ResultStreamEnded, SealLog
from tests.runtime.twin import Caller, Mesh, Twin, mesh_of, until
from tests.waiting import wait_until

JOB = JobId(4)
EDGE = EdgeId(7)
A, B = Field(ColumnId(1), "a", pa.int64()), Field(ColumnId(2), "b", pa.string())
LOST = WorkerLost("worker w2-beef was lost while task 4.1.0 ran there")


@contextmanager
def result(credit: int | None = 1 << 20, partitions: int = 2) -> Iterator[tuple[Mesh, Twin]]:
    """A worker with an open result edge."""
    edge = Edge(EDGE, StageId(0), None, Single(), (A, B))
    with mesh_of(1) as mesh:
        twin = mesh.workers[0]
        twin.board.carry_out(OpenEdge(JOB, EdgePlan(edge, partitions, 1, 1, credit, names=("total", "total"))))
        try:
            yield mesh, twin
        finally:
            twin.board.carry_out(DropJob(JOB))


def writer(partition: int) -> AttemptId:
    return AttemptId(TaskId(JOB, StageId(0), partition), 0)


def put(twin: Twin, partition: int, *values: int) -> None:
    batch = pa.record_batch({A.key: pa.array(values, pa.int64()), B.key: [str(value) for value in values]})
    twin.store.log(JOB, EDGE).append(writer(partition), [(0, batch)])


def seal(twin: Twin) -> None:
    twin.board.carry_out(SealLog(JOB, EDGE, (writer(0), writer(1))))


def asked(twin: Twin, partition: int = 0, call: Caller | None = None, job: JobId = JOB) -> OutStream:
    return twin.streams.result(ResultTicket(job, partition, b"nonce"), call or Caller())


def values(stream: OutStream) -> list[int]:
    return [value for batch, _ in stream.batches for value in batch.column(0).to_pylist()]


def events(mesh: Mesh) -> list[object]:
    found = []
    while not mesh.events.empty():
        found.append(mesh.events.get()[1])
    return found


def test_a_partition_comes_as_it_is_made_under_the_users_names() -> None:
    with result() as (mesh, twin):
        stream = asked(twin, 1)
        assert stream.schema == pa.schema([("total", pa.int64()), ("total", pa.string())])
        put(twin, 1, 5, 6)
        put(twin, 0, 1)
        batch, metadata = next(stream.batches)
        assert (batch.schema, metadata) == (stream.schema, b"")
        put(twin, 1, 7)
        assert next(stream.batches)[0].column(1).to_pylist() == ["7"]
        seal(twin)
        assert values(stream) == []
        stream.close()
        assert events(mesh) == [ResultStreamEnded(JOB, 1)]
        assert values(asked(twin, 0)) == [1]


def test_a_partition_is_given_once() -> None:
    with result() as (_, twin):
        put(twin, 0, 1)
        stream = asked(twin)
        with pytest.raises(UnknownJob, match="partition 0 of job 4 has been read, or is being read"):
            asked(twin)
        seal(twin)
        assert values(stream) == [1]
        with pytest.raises(UnknownJob, match="has been read"):
            asked(twin)
        for wrong in (-1, 2):
            with pytest.raises(InvalidTicket, match="no result partition"):
                asked(twin, wrong)


def test_a_client_that_lets_go_is_told_of() -> None:
    with result() as (mesh, twin):
        put(twin, 0, 1)
        stream = asked(twin)
        next(stream.batches)
        stream.close()
        stream.close()
        assert events(mesh) == [ResultStreamDropped(JOB, 0)]


def test_a_client_that_goes_while_nothing_comes_is_noticed() -> None:
    with result() as (mesh, twin):
        call = Caller()
        stream = asked(twin, 0, call)
        failed: list[type] = []

        def read() -> None:
            try:
                next(stream.batches)
            except FlightmeshError as error:
                failed.append(type(error))
            stream.close()

        reader = threading.Thread(target=read)
        reader.start()
        call.gone.set()
        reader.join(5)
        assert failed == [Cancelled]
        assert events(mesh) == [ResultStreamDropped(JOB, 0)]


def test_a_failure_ends_streams_and_is_told_to_who_asks_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with result() as (mesh, twin):
        put(twin, 0, 1)
        stream = asked(twin)
        next(stream.batches)
        twin.board.carry_out(FailStreams(JOB, LOST.to_wire()))
        with pytest.raises(WorkerLost, match="w2-beef"):
            next(stream.batches)
        stream.close()
        assert events(mesh) == [], "the driver knows that the job has failed"
        twin.board.carry_out(DropJob(JOB))
        for _ in range(2):
            with pytest.raises(WorkerLost, match="w2-beef"):
                asked(twin)
        monkeypatch.setattr(result_streams.time, "monotonic", lambda: 1e12)
        with pytest.raises(UnknownJob):
            asked(twin)


def test_a_failure_wakes_who_waits_for_the_job() -> None:
    with result() as (_, twin):
        job = JobId(5)
        failed: list[str] = []

        def ask() -> None:
            try:
                asked(twin, job=job)
            except FlightmeshError as error:
                failed.append(error.code)

        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: asking.is_alive())
        twin.board.carry_out(FailStreams(job, LOST.to_wire()))
        asking.join(2)
        assert failed == ["worker_lost"]


def test_a_job_that_is_released_or_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flightmesh.runtime.edge_news.RESULT_SECONDS", 0.1)
    with result() as (mesh, twin):
        stream = asked(twin)
        twin.board.carry_out(DropJob(JOB))
        with pytest.raises(UnknownJob, match="released"):
            next(stream.batches)
        monkeypatch.setattr("flightmesh.runtime.edge_news.RESULT_SECONDS", 100)
        with pytest.raises(UnknownJob, match="released"):
            asked(twin)  # at once: this worker has known it
        monkeypatch.setattr("flightmesh.runtime.edge_news.RESULT_SECONDS", 0.1)
        with pytest.raises(UnknownJob, match="job 9 is not known here"):
            asked(twin, job=JobId(9))
        assert events(mesh) == []


def test_a_complete_result_gives_nothing_before_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    with result(credit=None) as (_, twin):
        put(twin, 0, 1)
        call = Caller()
        looks: list[int] = []
        monkeypatch.setattr(call, "is_cancelled", lambda: looks.append(1))
        stream = asked(twin, 0, call)
        got: list[int] = []
        first = threading.Event()

        def read() -> None:
            for batch, _ in stream.batches:
                got.extend(batch.column(0).to_pylist())
                first.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert not first.wait(0.5)
        wait_until(lambda: len(looks) >= 2)
        assert len(looks) <= 100, "it waits, and looks now and then whether its client is there"
        put(twin, 0, 2)
        seal(twin)
        reader.join(5)
        assert got == [1, 2]


def test_failures_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with result() as (_, twin):
        streams: ResultStreams = twin.streams._results
        for job in range(10, 1000):
            streams.fail(JobId(job), LOST.to_wire())
        later = result_streams.time.monotonic() + result_streams.FAILURE_SECONDS + 1
        monkeypatch.setattr(result_streams.time, "monotonic", lambda: later)
        streams.fail(JobId(1000), LOST.to_wire())
        assert set(streams._failures) == {JobId(1000)}

"""A driver for tests of the client alone: it answers over Flight as a mesh does, but runs queries in its own process.

Handed a session of this process; hands on an address. A test may hold back, break or fail what it answers.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from flightmesh.driver.record import JobRecord, JobState, Progress
from flightmesh.errors import FlightmeshError, InvalidQuery, UnknownJob, UnsupportedFeature
from flightmesh.ids import JobId
from flightmesh.protocol.client_messages import (
    AskJob,
    Done,
    JobStatus,
    OpenSession,
    Planned,
    Run,
    SessionOpened,
    Statement,
    UploadTable,
)
from flightmesh.protocol.codec import decode, encode
from flightmesh.session import Result, Session
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.service import ActionKind, Asked, Call, Endpoint, Info, InStream, OutStream

SESSION = "s-1"


@dataclass
class Job:
    """A query that a client has asked for: its partitions, each a list of batches; how it stands."""

    schema: pa.Schema
    partitions: list[list[pa.RecordBatch]]
    state: str = "running"
    error: FlightmeshError | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


class StandIn:
    """A service of one session. `partitions`: how many endpoints a result has; `after`: called before each batch that goes out,
    with partition and number, and may raise or wait."""

    def __init__(self, session: Session, partitions: int = 2, lease: float = 60.0) -> None:
        self.session = session
        self.partitions = partitions
        self.lease = lease
        self.jobs: dict[int, Job] = {}
        self.calls: list[str] = []
        self.ordered = False
        self.before: Callable[[int, int], None] = lambda partition, number: None
        self.placing: Callable[[], None] = lambda: None
        self._statements: dict[str, Result] = {}
        self._numbers = itertools.count(1)
        self.node = FlightNode(self, name="stand-in")
        self.node.start()

    def actions(self) -> tuple[ActionKind, ...]:
        return ()

    def act(self, name: str, body: bytes, call: Call) -> list[bytes]:
        self.calls.append(name)
        if name == "open-session":
            decode(body, OpenSession)
            return [encode(SessionOpened(SESSION, self.lease))]
        assert call.headers["flightmesh-session"] == SESSION
        match name:
            case "ping" | "close-session":
                return [encode(Done())]
            case "statement":
                return [encode(self._plan(decode(body, Statement)))]
            case "status":
                return [encode(self._status(decode(body, AskJob).job))]
            case "record":
                job = decode(body, AskJob).job
                nothing = Progress(1, 1, 2, 2, 10, 80)
                return [encode(JobRecord(job, JobState(self.jobs[job].state), 0.0, 1.0, (), nothing))]
            case "cancel":
                self._cancel(decode(body, AskJob).job)
                return [encode(Done())]
            case _:
                raise UnsupportedFeature(f"no action {name}")

    def info(self, asked: Asked, call: Call) -> Info:
        run: Run = decode(asked.command or b"", Run)
        self.placing()
        table = self._statements[run.statement or ""].to_arrow()
        batches = table.to_batches(max_chunksize=max(1, table.num_rows // 8))
        number = next(self._numbers)
        self.jobs[number] = Job(table.schema, [batches[part :: self.partitions] for part in range(self.partitions)])
        endpoints = tuple(Endpoint(f"{number}/{part}".encode(), None) for part in range(self.partitions))
        return Info(table.schema, endpoints, self.ordered, metadata=encode(AskJob(JobId(number))))

    def get(self, ticket: bytes, call: Call) -> OutStream:
        number, part = map(int, ticket.split(b"/"))
        job = self.jobs[number]

        def rows() -> Iterator[tuple[pa.RecordBatch, bytes]]:
            for count, batch in enumerate(job.partitions[part]):
                self.before(part, count)
                if job.error is not None:
                    raise job.error
                yield batch, b""
            self.before(part, len(job.partitions[part]))
            if job.state == "running":
                job.state = "succeeded"

        return OutStream(job.schema, rows(), lambda: None)

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        table: UploadTable = decode(asked.command or b"", UploadTable)
        batches = [batch for batch, _ in stream.batches if batch is not None]
        self.session.register(table.name, pa.Table.from_batches(batches, stream.schema))

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        raise UnsupportedFeature("no schemas")

    def list(self, call: Call) -> list[Info]:
        return []

    def _plan(self, statement: Statement) -> Planned:
        params: Any = None
        if statement.params is not None:
            batch = pa.ipc.open_stream(statement.params).read_next_batch()
            row = batch.to_pylist()[0]
            params = list(row.values()) if all(name.startswith("$") for name in row) else row
        if statement.sql is None:
            raise InvalidQuery("plans are not for this driver")
        result = self.session.sql(statement.sql, dialect=statement.dialect, params=params)
        if not result.schema.names:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, result.schema) as writer:
                writer.write_table(result.to_arrow())
            return Planned(bytes(result.schema.serialize()), rows=bytes(sink.getvalue()))
        name = f"q{len(self._statements)}"
        self._statements[name] = result
        return Planned(bytes(result.schema.serialize()), name)

    def _status(self, number: int) -> JobStatus:
        job = self.jobs.get(number)
        if job is None:
            raise UnknownJob(f"no job {number}")
        error = None if job.error is None else job.error.to_wire()
        return JobStatus(JobId(number), job.state, "", SESSION, 0, 0, None, 0, 1, 1, 2, 10, 80, error=error)

    def _cancel(self, number: int) -> None:
        job = self.jobs[number]
        if job.state == "running":
            job.state = "cancelled"
        job.cancelled.set()

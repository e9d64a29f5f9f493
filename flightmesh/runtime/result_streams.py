"""Streams of a job's result to clients, one a partition: what task `partition` of the last stage gives.

Handed tickets by the handlers of the client listener and failures by the event loop; hands on batches under the user's column
names, and posts how each stream ended. What always holds: a stream that ends cleanly was the whole partition of a job that
has succeeded; a partition is given once; who asks after a failure is told why for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pyarrow as pa

from flightmesh.errors import FlightmeshError, InvalidTicket, UnknownJob, from_wire
from flightmesh.exchange.reader import LogReader
from flightmesh.exchange.store import ExchangeStore
from flightmesh.ids import JobId
from flightmesh.protocol.frames import EntryKind
from flightmesh.protocol.messages import EdgePlan, WireError
from flightmesh.protocol.tickets import ResultTicket
from flightmesh.runtime.bell import Bell
from flightmesh.runtime.edge_news import EdgeNews, EdgeState
from flightmesh.runtime.reach import CALL_STEP_SECONDS, raise_if_gone
from flightmesh.transport.service import Call, OutStream
from flightmesh.worker.events import ResultStreamDropped, ResultStreamEnded, WorkerEvent

FAILURE_SECONDS = 60.0
"""How long the failure of a job is told to those who ask for its result."""


class ResultStreams:
    """The result partitions that clients read here. Any thread may call."""

    def __init__(self, store: ExchangeStore, news: EdgeNews, post: Callable[[WorkerEvent], None]) -> None:
        self._store = store
        self._news = news
        self._post = post
        self._failures: dict[JobId, tuple[WireError, float]] = {}
        self._given: dict[JobId, set[int]] = {}
        self._lock = threading.Lock()

    def open(self, ticket: ResultTicket, call: Call) -> OutStream:
        """The stream of a partition. Raises the job's error, UnknownJob when it is not here or its rows have been given."""
        self._raise_failure(ticket.job)
        state = self._news.wait_open(ticket.job, None, lambda: self._check(ticket.job, call))
        if not 0 <= ticket.partition < state.plan.producers:
            raise InvalidTicket(f"job {ticket.job} has no result partition {ticket.partition}")
        with self._lock:
            given = self._given.setdefault(ticket.job, set())
            if ticket.partition in given:
                raise UnknownJob(f"partition {ticket.partition} of job {ticket.job} has been read, or is being read")
            given.add(ticket.partition)
        stream = _ResultStream(self, state, ticket, self._reader(state, ticket), call)
        return OutStream(result_schema(state.plan), stream.batches(), stream.close)

    def fail(self, job: JobId, error: WireError) -> None:
        """A job has ended badly: its streams end with the error."""
        now = time.monotonic()
        with self._lock:
            self._failures = {job: kept for job, kept in self._failures.items() if kept[1] > now}
            self._failures[job] = (error, now + FAILURE_SECONDS)
        self._store.wake(job)

    def drop(self, job: JobId) -> None:
        """Forgets which partitions of a job were given."""
        with self._lock:
            self._given.pop(job, None)

    def failure(self, job: JobId) -> FlightmeshError | None:
        """Why a job has no result, if that is known."""
        with self._lock:
            kept = self._failures.get(job)
        return from_wire(kept[0]) if kept is not None and kept[1] > time.monotonic() else None

    def ended(self, ticket: ResultTicket) -> None:
        """A client has all of a partition."""
        self._post(ResultStreamEnded(ticket.job, ticket.partition))

    def dropped(self, ticket: ResultTicket) -> None:
        """A client has let go of a partition."""
        self._post(ResultStreamDropped(ticket.job, ticket.partition))

    def _reader(self, state: EdgeState, ticket: ResultTicket) -> LogReader:
        log = self._store.find(ticket.job, state.plan.edge.id)
        if log is None:
            raise UnknownJob(f"job {ticket.job} was released before its result was read")
        return log.reader(range(state.plan.buckets), ticket.partition)

    def _check(self, job: JobId, call: Call) -> None:
        self._raise_failure(job)
        raise_if_gone(call)

    def _raise_failure(self, job: JobId) -> None:
        failure = self.failure(job)
        if failure is not None:
            raise failure


class _ResultStream:
    """One partition on its way to one client. Used by the handler's thread."""

    def __init__(self, streams: ResultStreams, state: EdgeState, ticket: ResultTicket, rows: LogReader, call: Call) -> None:
        self._streams = streams
        self._state = state
        self._ticket = ticket
        self._rows = rows
        self._call = call
        self._schema = result_schema(state.plan)
        self._is_over = False

    def batches(self) -> Iterator[tuple[pa.RecordBatch, bytes]]:
        """The rows as they come; with a result that is to be complete, once it is."""
        if self._state.plan.credit is None:
            self._wait_for_seal()
        while True:
            self._check()
            entry = self._rows.take()
            if entry is not None:
                if entry.kind is EntryKind.DATA:
                    yield self._named(entry.batch), b""
            elif self._rows.ended:
                break
            else:
                self._rows.wait(CALL_STEP_SECONDS)
        self._is_over = True
        self._streams.ended(self._ticket)

    def _wait_for_seal(self) -> None:
        bell = Bell()
        unwatch = self._state.watch(bell.ring)
        try:
            while self._state.known.winners is None:
                heard = bell.rings
                self._check()
                bell.wait_past(heard, CALL_STEP_SECONDS)
        finally:
            unwatch()

    def close(self) -> None:
        """The stream has ended. If it was not at its end, the client has let go of it."""
        self._rows.close()
        if not self._is_over:
            self._is_over = True
            self._streams.dropped(self._ticket)

    def _check(self) -> None:
        failure = self._streams.failure(self._ticket.job)
        if failure is None and self._state.is_dropped:
            failure = UnknownJob(f"job {self._ticket.job} was released before its result was read")
        if failure is not None:
            self._is_over = True
            raise failure
        raise_if_gone(self._call)

    def _named(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not len(self._schema):
            return batch
        return pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)


def result_schema(plan: EdgePlan) -> pa.Schema:
    """The columns of a result under the names that the user gave them."""
    names = plan.names or tuple(field.name for field in plan.edge.fields)
    return pa.schema([pa.field(name, field.type) for name, field in zip(names, plan.edge.fields, strict=True)])

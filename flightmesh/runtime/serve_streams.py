"""The data streams of a worker: what other workers fetch and push, what clients read of results, parts of tables in memory.

Handed tickets and calls by the handlers of the Flight services; hands on streams. What always holds: a handler that waits
looks at least ten times a second whether its caller is still there; a stream between workers ends with an END frame or is
broken; a job that is dropped ends all its streams.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa

from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.scan import ROWS_COLUMN, read_split
from flightmesh.errors import FlightmeshError, InternalError, InvalidTicket, StreamBroken, UnknownJob
from flightmesh.exchange.reader import LogReader
from flightmesh.exchange.store import ExchangeStore
from flightmesh.ids import JobId, WorkerId
from flightmesh.kernel.batches import empty_batch
from flightmesh.protocol.frames import Frame, pack_end, pack_frame
from flightmesh.protocol.messages import WireError
from flightmesh.protocol.tickets import ExchangeTicket, FileTicket, ResultTicket, TableTicket
from flightmesh.runtime.edge_news import EdgeNews, EdgeState, FeedKey
from flightmesh.runtime.feed import Feed, Origin, Room
from flightmesh.runtime.fetcher import broken
from flightmesh.runtime.local_files import LocalFiles, as_they_are
from flightmesh.runtime.pusher import edge_schema, pack_acknowledgement
from flightmesh.runtime.reach import CALL_STEP_SECONDS, Reach, raise_if_gone
from flightmesh.runtime.result_streams import ResultStreams
from flightmesh.transport.service import Call, InStream, OutStream
from flightmesh.worker.events import WorkerEvent

TABLE_BATCH_ROWS = 65_536


class StreamServer:
    """Serves streams from one worker's store and tables. Handlers of any thread call."""

    def __init__(
        self,
        store: ExchangeStore,
        tables: MemoryTables,
        news: EdgeNews,
        reach: Reach,
        room: Room,
        post: Callable[[WorkerEvent], None],
        files: LocalFiles = as_they_are,
    ) -> None:
        self._store = store
        self._tables = tables
        self._news = news
        self._reach = reach
        self._room = room
        self._files = files
        self._results = ResultStreams(store, news, post)

    def exchange(self, ticket: ExchangeTicket, call: Call) -> OutStream:
        """What this worker holds of some buckets of an edge, as it comes, until no more comes. Waits for the edge."""
        self._check_worker(ticket.worker)
        state = self._news.wait_open(ticket.job, ticket.edge, lambda: raise_if_gone(call))
        if not 0 <= ticket.first <= ticket.last <= state.plan.buckets:
            raise InvalidTicket(f"edge {ticket.edge} has no buckets {ticket.first} to {ticket.last}")
        log = self._store.find(ticket.job, ticket.edge)
        if log is None:
            raise UnknownJob(f"job {ticket.job} was released")
        rows = log.reader(range(ticket.first, ticket.last), ticket.producer)
        schema = edge_schema(log)
        return OutStream(schema, _framed(rows, schema, lambda: state.is_written_at(ticket.worker), state, call), rows.close)

    def result(self, ticket: ResultTicket, call: Call) -> OutStream:
        """A partition of a job's result."""
        return self._results.open(ticket, call)

    def table(self, ticket: TableTicket, call: Call) -> OutStream:
        """Rows of a table in this worker's memory."""
        self._check_worker(ticket.worker)
        rows = self._tables.get(ticket.key).slice(ticket.offset, ticket.rows)
        part = rows.select(list(ticket.columns)) if ticket.columns else rows
        return OutStream(part.schema, _sliced(part, call), _nothing)

    def file(self, ticket: FileTicket, call: Call) -> OutStream:
        """Rows of a file that this worker serves, for a task elsewhere. Raises NotAllowed, InputChanged."""
        self._check_worker(ticket.worker)
        table = self._files(ticket.table)
        check = partial(raise_if_gone, call)
        batches = read_split(table, ticket.split, ticket.columns, morsel_rows=TABLE_BATCH_ROWS, check=check)
        schema = pa.schema([table.schema.field(name) for name in ticket.columns] or [pa.field(ROWS_COLUMN, pa.int8())])
        rows = (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in batches)
        return OutStream(schema, ((batch, b"") for batch in rows), _nothing)

    def accept_push(self, ticket: ExchangeTicket, stream: InStream, call: Call) -> None:
        """Takes what another worker pushes to a reader here. Returns when all of it is here, or the reader wants no more."""
        self._check_worker(ticket.worker)
        if ticket.sender is None:
            raise InvalidTicket("a pushed stream says who sends it")
        state = self._news.wait_open(ticket.job, ticket.edge, lambda: raise_if_gone(call))
        feed = Feed(Origin(ticket.edge, ticket.sender, ticket.producer), self._reach.window, self._room)
        acknowledgements = _Acknowledgements(stream.acknowledge)
        feed.on_taken(acknowledgements.send)
        self._news.offer_feed(state, FeedKey(ticket.reader, ticket.sender, ticket.producer), feed)
        try:
            _receive(feed, stream, call)
        except BaseException as failure:
            error = failure if isinstance(failure, Exception) else InternalError(f"{type(failure).__name__}")
            feed.fail(broken(error, str(feed.origin), call.peer))
            raise
        finally:
            acknowledgements.end()

    def fail(self, job: JobId, error: WireError) -> None:
        """A job has ended badly: who reads its result is told."""
        self._results.fail(job, error)

    def drop(self, job: JobId) -> None:
        """Forgets a job, after `EdgeNews` has."""
        self._results.drop(job)

    def _check_worker(self, worker: WorkerId) -> None:
        here = self._reach.worker
        if worker != here:
            raise StreamBroken(f"this is worker {here}: {worker} is gone", hint="run the query again")


def _framed(
    rows: LogReader, schema: pa.Schema, is_written: Callable[[], bool], state: EdgeState, call: Call
) -> Iterator[tuple[pa.RecordBatch, bytes]]:
    """The entries, and the END: once all that is written here has been sent, though the edge may not be sealed yet."""
    sent = 0
    while True:
        if state.is_dropped:
            raise UnknownJob("the job was released")
        raise_if_gone(call)
        whole = is_written()  # looked at first: what comes in between would else be left out
        entry = rows.take()
        if entry is not None:
            yield entry.batch, pack_frame(Frame(entry.kind, entry.producer, sent))
            sent += 1
        elif rows.ended or whole:
            break
        else:
            rows.wait(CALL_STEP_SECONDS)
    yield empty_batch(schema), pack_end(sent)


def _sliced(part: pa.Table, call: Call) -> Iterator[tuple[pa.RecordBatch, bytes]]:
    for batch in part.to_batches(max_chunksize=TABLE_BATCH_ROWS):
        raise_if_gone(call)
        yield batch, b""


def _receive(feed: Feed, stream: InStream, call: Call) -> None:
    for batch, metadata in stream.batches:
        if not feed.put(batch, metadata, call.is_cancelled) or feed.is_complete:
            return
        if call.is_cancelled():
            break
    raise StreamBroken("it ended before its end")


class _Acknowledgements:
    """What is written back to a sender: by the reader's thread, and never after the handler has returned."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write: Callable[[bytes], None] | None = write
        self._lock = threading.Lock()

    def send(self, taken: int | None) -> None:
        """Says how much was taken. A sender that is gone needs no word: its stream breaks where it is read."""
        with self._lock:
            if self._write is None:
                return
            try:
                self._write(pack_acknowledgement(taken))
            except FlightmeshError:
                self._write = None

    def end(self) -> None:
        """Writes no more."""
        with self._lock:
            self._write = None


def _nothing() -> None:
    """A stream that leaves nothing to close."""

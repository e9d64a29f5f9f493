"""Workers of a mesh in one process, by hand: their boards and stores, a network between them that is either direct calls or
Flight, and a driver of a few lines that a test tells when to start what."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa

from flightmesh.catalog.memory import MemoryTables
from flightmesh.config import MIB
from flightmesh.errors import Cancelled, FlightmeshError, NodeUnavailable, StreamBroken, UnsupportedFeature
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.store import ExchangeStore
from flightmesh.ids import AttemptId, JobId, StageId, TaskId, WorkerId
from flightmesh.kernel.batches import rows_without_columns
from flightmesh.physical.operators import ValuesRows
from flightmesh.protocol.messages import EdgePlan, PlanStage
from flightmesh.protocol.tickets import ExchangeTicket, ResultTicket, TableTicket, read_ticket
from flightmesh.runtime.reach import Reach
from flightmesh.runtime.serve_streams import StreamServer
from flightmesh.runtime.slots import SlotHold, Slots
from flightmesh.runtime.task_board import TaskBoard
from flightmesh.runtime.task_context import News, RunningTask
from flightmesh.runtime.worker_resources import WorkerResources
from flightmesh.stage.graph import Stage
from flightmesh.transport.flight_peers import FlightPeers
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.peers import Peers
from flightmesh.transport.service import ActionKind, Asked, Call, Info, InStream, OutStream
from flightmesh.worker.events import WorkerEvent

KEY = b"k" * 32
SOMEBODY = AttemptId(TaskId(JobId(1), StageId(1), 0), 0)


class Caller:
    """A `Call` whose caller can go."""

    def __init__(self) -> None:
        self.peer = "test"
        self.headers: dict[str, str] = {}
        self.gone = threading.Event()

    def is_cancelled(self) -> bool:
        return self.gone.is_set()


def stream_of(server: StreamServer, ticket: bytes, call: Call) -> OutStream:
    """What a worker's listeners do with a ticket."""
    found = read_ticket(ticket, KEY)
    match found:
        case ExchangeTicket():
            return server.exchange(found, call)
        case ResultTicket():
            return server.result(found, call)
        case TableTicket():
            return server.table(found, call)


def push_into(server: StreamServer, command: bytes, stream: InStream, call: Call) -> None:
    """What a worker's mesh listener does with a put."""
    ticket = read_ticket(command, KEY)
    assert isinstance(ticket, ExchangeTicket)
    server.accept_push(ticket, stream, call)


class DirectIn:
    """A StreamIn that runs the server's iterator in the reader's thread."""

    def __init__(self, server: StreamServer, ticket: bytes, network: Network) -> None:
        self._server = server
        self._ticket = ticket
        self._network = network
        self._call = Caller()
        self._stream: OutStream | None = None
        self.schema = pa.schema([])

    def next(self) -> tuple[pa.RecordBatch, bytes] | None:
        if self._network.is_down.is_set():
            raise StreamBroken("the line is dead")
        if self._stream is None:
            self._stream = stream_of(self._server, self._ticket, self._call)
            self.schema = self._stream.schema
        got = next(self._stream.batches, None)
        if got is None:
            self._stream.close()
        return got

    def cancel(self) -> None:
        self._call.gone.set()


class DirectOut:
    """A StreamOut whose receiver runs in a thread of its own; two entries may be on the line."""

    def __init__(self, server: StreamServer, command: bytes, schema: pa.Schema) -> None:
        self._line: queue.Queue[tuple[pa.RecordBatch, bytes] | None] = queue.Queue(2)
        self._said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._call = Caller()
        self._failure: FlightmeshError | None = None
        self._over = threading.Event()
        stream = InStream(schema, self._arriving(), self._said.put)
        self._thread = threading.Thread(target=self._receive, args=(server, command, stream), name="direct-put", daemon=True)
        self._thread.start()

    def write(self, batch: pa.RecordBatch, metadata: bytes) -> None:
        self._send((batch, metadata))

    def acknowledged(self) -> bytes | None:
        said = self._said.get()
        self._check()
        return said

    def finish(self) -> None:
        self._send(None)
        self._thread.join()
        self._check()

    def cancel(self) -> None:
        self._call.gone.set()

    def _send(self, what: tuple[pa.RecordBatch, bytes] | None) -> None:
        while not self._over.is_set():
            try:
                self._line.put(what, timeout=0.02)
                return
            except queue.Full:
                self._check()
        self._check()
        if what is not None:
            raise StreamBroken("the receiver takes no more")

    def _check(self) -> None:
        if self._call.is_cancelled():
            raise Cancelled("given up")
        if self._failure is not None:
            raise self._failure

    def _arriving(self) -> Iterator[tuple[pa.RecordBatch | None, bytes]]:
        while True:
            try:
                got = self._line.get(timeout=0.02)
            except queue.Empty:
                if self._call.is_cancelled():
                    raise Cancelled("the sender gave up") from None
                continue
            if got is None:
                return
            yield got

    def _receive(self, server: StreamServer, command: bytes, stream: InStream) -> None:
        try:
            push_into(server, command, stream, self._call)
        except FlightmeshError as error:
            self._failure = error
        self._over.set()
        self._said.put(None)


class Network:
    """`Peers` by direct calls. `cut` breaks every stream that is read."""

    def __init__(self) -> None:
        self.servers: dict[str, StreamServer] = {}
        self.is_down = threading.Event()
        self.gets = 0
        self.puts = 0

    def call(self, address: str, action: str, body: bytes, seconds: float) -> list[bytes]:
        raise UnsupportedFeature(action)

    def get(self, address: str, ticket: bytes) -> DirectIn:
        self.gets += 1
        return DirectIn(self._server(address), ticket, self)

    def put(self, address: str, command: bytes, schema: pa.Schema) -> DirectOut:
        self.puts += 1
        return DirectOut(self._server(address), command, schema)

    def close(self) -> None:
        self.is_down.set()

    def _server(self, address: str) -> StreamServer:
        if address not in self.servers:
            raise NodeUnavailable(f"nobody at {address}")
        return self.servers[address]


class StreamService:
    """The part of a worker's listeners that streams rows."""

    def __init__(self) -> None:
        self.server: StreamServer | None = None

    def actions(self) -> tuple[ActionKind, ...]:
        return ()

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        raise UnsupportedFeature(name)

    def get(self, ticket: bytes, call: Call) -> OutStream:
        assert self.server is not None
        return stream_of(self.server, ticket, call)

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        assert self.server is not None and asked.command is not None
        push_into(self.server, asked.command, stream, call)

    def info(self, asked: Asked, call: Call) -> Info:
        raise UnsupportedFeature("info")

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        raise UnsupportedFeature("schema")

    def list(self, call: Call) -> Iterable[Info]:
        return ()


@dataclass
class Twin:
    """One worker."""

    worker: WorkerId
    address: str
    store: ExchangeStore
    tables: MemoryTables
    board: TaskBoard
    peers: Peers
    slots: Slots
    streams: StreamServer


@dataclass
class Mesh:
    """Workers that reach each other. `events`: what their boards post."""

    workers: list[Twin]
    network: Network | None
    events: queue.Queue[tuple[Twin, WorkerEvent]] = field(default_factory=queue.Queue)
    nodes: list[FlightNode] = field(default_factory=list)

    def by_id(self, worker: WorkerId) -> Twin:
        return next(twin for twin in self.workers if twin.worker == worker)


@contextmanager
def mesh_of(
    count: int, line: str = "direct", window: int = 8 * MIB, slots: int = 2, patience: float = 30.0, memory: int = 512 * MIB
) -> Iterator[Mesh]:
    """So many workers, on direct calls or on Flight (`line`). At the end nothing of them is left."""
    before = set(threading.enumerate())
    network = Network() if line == "direct" else None
    mesh = Mesh([], network)
    for number in range(count):
        worker = WorkerId(f"w{number}-abcd")
        service = StreamService()
        node = None if network is not None else FlightNode(service)
        address = f"grpc://direct:{number}" if node is None else node.uri
        peers: Peers = network if network is not None else FlightPeers(window)
        twin = _twin(mesh, worker, address, peers, Reach(peers, worker, KEY, window, patience), slots, memory)
        mesh.workers.append(twin)
        service.server = twin.streams
        if network is not None:
            network.servers[address] = twin.streams
        if node is not None:
            mesh.nodes.append(node)
            node.start()
    try:
        yield mesh
        _check_empty(mesh)
    finally:
        for twin in mesh.workers:
            twin.board.cancel_all()
        for node in mesh.nodes:
            node.close(5)
        for twin in mesh.workers:
            twin.peers.close()
            twin.board.close()
            twin.store.shut()
    until(lambda: {t.name for t in set(threading.enumerate()) - before if not t.name.startswith("Dummy")} == set())


def _twin(mesh: Mesh, worker: WorkerId, address: str, peers: Peers, reach: Reach, slots: int, memory: int) -> Twin:
    store = ExchangeStore(MemoryBudget(memory))
    tables, permits = MemoryTables(), Slots(slots)

    def post(event: WorkerEvent) -> None:
        mesh.events.put((mesh.by_id(worker), event))

    board = TaskBoard(WorkerResources(store, tables, permits, 65_536), post, reach)
    assert board.streams is not None
    return Twin(worker, address, store, tables, board, peers, permits, board.streams)


def _check_empty(mesh: Mesh) -> None:
    for twin in mesh.workers:
        until(lambda twin=twin: twin.board.is_idle)
        until(lambda twin=twin: not twin.store.held())
        assert twin.store.budget.accounts() == {}
        assert twin.slots.free == twin.slots.count
    for node in mesh.nodes:
        until(lambda node=node: node.streams == 0)


@contextmanager
def task_at(twin: Twin, attempt: AttemptId = SOMEBODY, *inputs: EdgePlan) -> Iterator[RunningTask]:
    """An attempt of a stage at a worker, run by the test's own thread; it holds a slot meanwhile."""
    stage = Stage(attempt.task.stage, ValuesRows((), rows_without_columns(0)), 1, tuple(p.edge.id for p in inputs), (), ())
    news = News(lambda *_: None, lambda *_: None, lambda *_: None)
    with SlotHold(twin.slots) as hold:
        task = RunningTask(attempt, PlanStage(attempt.task.job, stage, inputs, ()), twin.board._around, hold, news)
        try:
            yield task
        finally:
            task.release_all()


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited for {seconds} s"
        threading.Event().wait(0.002)

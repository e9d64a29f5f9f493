"""A whole mesh in this process: a driver's node and workers' nodes on loopback, and a client's view of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pyarrow as pa

from flightmesh.config import MIB, Config
from flightmesh.node.client_service import ClientService
from flightmesh.node.driver_node import DriverNode, DriverPlace
from flightmesh.node.roots import EVERYWHERE, Roots
from flightmesh.node.worker_node import Place, WorkerNode
from flightmesh.protocol.client_messages import OpenSession, SessionOpened
from flightmesh.protocol.codec import decode, encode
from flightmesh.session.partition_readers import Nothing, Order, PartitionReaders
from flightmesh.transport.flight_client import SESSION_HEADER, ClientConnection
from flightmesh.transport.service import Asked, Info

T = TypeVar("T")
SECONDS = 20.0


def wait_until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Waits for a condition, with a deadline."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        pause.wait(0.02)


class Loopback:
    """The mesh. `service` is what answers clients."""

    def __init__(self, config: Config, workers: int, roots: Roots, worker_roots: Mapping[int, Roots]) -> None:
        self.config = config
        services: list[ClientService] = []

        def make(*args: Any) -> ClientService:
            services.append(ClientService(*args))
            return services[0]

        self.driver = DriverNode(config, make, DriverPlace(roots=roots))
        self.service = services[0]
        self.driver.start()
        self.workers: list[WorkerNode] = []
        for number in range(workers):
            self.begin(Place(f"w{number}", roots=worker_roots.get(number, EVERYWHERE)))
        wait_until(lambda: len(self.driver.mesh.workers()) == workers, "the workers register")

    def begin(self, place: Place) -> WorkerNode:
        """Starts one more worker, which may still have to register."""
        self.workers.append(WorkerNode(self.config, self.driver.client_uri, place))
        self.workers[-1].start()
        return self.workers[-1]

    def is_idle(self) -> bool:
        """Whether no job is left anywhere."""
        return self.driver.mesh.is_idle

    def close(self) -> None:
        """Ends everything."""
        for worker in self.workers:
            worker.close()
        self.driver.close()


@contextmanager
def loopback(
    config: Config | None = None, workers: int = 2, roots: Roots = EVERYWHERE, worker_roots: Mapping[int, Roots] | None = None
) -> Iterator[Loopback]:
    """A mesh that is closed at the end."""
    chosen = config or Config(threads=2, memory=512 * MIB)
    chosen = replace(chosen, exchange=replace(chosen.exchange, disk=chosen.exchange.disk or 1 << 30))
    mesh = Loopback(chosen, workers, roots, worker_roots or {})
    try:
        yield mesh
    finally:
        mesh.close()


class Client:
    """A Flight client of a mesh, with the engine's errors; in a session, once `open` was called."""

    def __init__(self, mesh: Loopback) -> None:
        self.connection = ClientConnection(mesh.driver.client_uri)

    def open(self, wanted: OpenSession | None = None) -> SessionOpened:
        """Opens a session for all later calls."""
        opened: SessionOpened = self.ask("open-session", wanted or OpenSession(), SessionOpened)
        self.connection.set_header(SESSION_HEADER, opened.session)
        return opened

    def ask(self, action: str, body: Any, kind: type[T]) -> T:
        """The answer to an action."""
        (answer,) = self.connection.action(action, b"" if body is None else encode(body))
        found: T = decode(answer, kind)
        return found

    def info(self, command: str | bytes) -> Info:
        """GetFlightInfo."""
        return self.connection.info(Asked(command=command.encode() if isinstance(command, str) else command))

    def rows(self, info: Info) -> pa.Table:
        """All rows of an info, its endpoints read side by side."""
        opens = [lambda e=e: self.connection.get(e.location, e.ticket) for e in info.endpoints]
        readers = PartitionReaders(opens, Order.STRICT if info.ordered else Order.FREE)
        batches = []
        try:
            while (batch := readers.next(SECONDS)) is not Nothing.MORE:
                assert batch is not Nothing.YET, f"no rows within {SECONDS:.0f} s"
                batches.append(pa.RecordBatch.from_arrays(batch.columns, schema=info.schema))
        finally:
            readers.close()
        return pa.Table.from_batches(batches, info.schema)

    def sql(self, text: str) -> pa.Table:
        """The rows of a statement."""
        return self.rows(self.info(text))

    def upload(self, asked: Asked, data: pa.Table) -> None:
        """DoPut."""
        stream = self.connection.put(asked, data.schema)
        for batch in data.to_batches(max_chunksize=10_000):
            stream.write(batch, b"")
        stream.finish()

    def close(self) -> None:
        """Lets go of the connections."""
        self.connection.close()


@contextmanager
def client_of(mesh: Loopback, session: OpenSession | None = None) -> Iterator[Client]:
    """A client, in a session if one is given."""
    client = Client(mesh)
    try:
        if session is not None:
            client.open(session)
        yield client
    finally:
        client.close()

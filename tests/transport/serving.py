"""A service that does what a test tells it, on a real listener of the loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa

from flightmesh.errors import UnsupportedFeature
from flightmesh.transport.flight_peers import FlightPeers
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.service import ActionKind, Asked, Call, Endpoint, Info, InStream, OutStream

NUMBERS = pa.schema([("n", pa.int64())])


def rows(first: int, count: int = 1) -> pa.RecordBatch:
    """A batch of numbers."""
    return pa.record_batch({"n": pa.array(range(first, first + count), pa.int64())}, schema=NUMBERS)


class Pushed:
    """An OutStream's rows that a test pushes one by one; ends when the caller has gone."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.batches: list[tuple[pa.RecordBatch, bytes]] = []
        self.sealed = False
        self.waiting = 0

    def push(self, batch: pa.RecordBatch, metadata: bytes) -> None:
        with self.changed:
            self.batches.append((batch, metadata))
            self.changed.notify_all()

    def seal(self) -> None:
        with self.changed:
            self.sealed = True
            self.changed.notify_all()

    def read(self, call: Call) -> Iterator[tuple[pa.RecordBatch, bytes]]:
        position = 0
        while not call.is_cancelled():
            with self.changed:
                self.changed.wait_for(lambda seen=position: self.sealed or len(self.batches) > seen, 0.05)
                found = self.batches[position : position + 1]
                over = self.sealed and not found
            if over:
                return
            yield from found
            position += len(found)


@dataclass
class Told:
    """The service: each kind of call is a function of the test's."""

    acts: dict[str, Callable[[bytes, Call], Iterable[bytes]]] = field(default_factory=dict)
    gets: Callable[[bytes, Call], OutStream] | None = None
    puts: Callable[[Asked, InStream, Call], None] | None = None
    endpoints: tuple[Endpoint, ...] = ()

    def actions(self) -> tuple[ActionKind, ...]:
        return tuple(ActionKind(name, f"does {name}") for name in self.acts)

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        if name not in self.acts:
            raise UnsupportedFeature(f"no action {name}")
        return self.acts[name](body, call)

    def get(self, ticket: bytes, call: Call) -> OutStream:
        assert self.gets is not None
        return self.gets(ticket, call)

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        assert self.puts is not None
        self.puts(asked, stream, call)

    def info(self, asked: Asked, call: Call) -> Info:
        return Info(NUMBERS, self.endpoints, True, asked.command or b"", asked.path, 7, 56, b"more")

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        return pa.schema([(part, pa.int8()) for part in asked.path])

    def list(self, call: Call) -> Iterable[Info]:
        return [self.info(Asked(path=("main", "t")), call)]


@contextmanager
def served(service: Told) -> Iterator[FlightNode]:
    """A listener that serves `service` and is closed after the test."""
    node = FlightNode(service, name="served")
    node.start()
    try:
        yield node
    finally:
        node.close(2)


@contextmanager
def calling(window: int = 1 << 20) -> Iterator[FlightPeers]:
    """Peers that are closed after the test."""
    peers = FlightPeers(window)
    try:
        yield peers
    finally:
        peers.close()

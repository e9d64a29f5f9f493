"""A driver that says what a test wants: enough of one for a worker to join, over real Flight listeners.

Handed nothing; hands on what workers said. `may_leave`, `fence` and `mute` steer its answers.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import pyarrow as pa

from flightmesh.errors import Fenced, UnsupportedFeature
from flightmesh.ids import WorkerId
from flightmesh.protocol.client_messages import Done
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.messages import DriverMessage, WorkerMessage
from flightmesh.protocol.node_messages import (
    Heard,
    Heartbeat,
    HeartbeatHeard,
    Leave,
    MeshListener,
    Orders,
    Register,
    Registered,
    Reports,
)
from flightmesh.transport.control import read_reports, report_kinds
from flightmesh.transport.flight_peers import FlightPeers
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.service import ActionKind, Asked, Call, Info, InStream, OutStream

KEY = bytes(range(32))
_REPORTS = frozenset(kind.name for kind in report_kinds())


class FakeDriver:
    """Both listeners of a driver in one. A context: it is there inside the block."""

    def __init__(self, listen: str = "grpc://127.0.0.1:0", incarnation: str = "first", lost_seconds: float = 4.0) -> None:
        self.incarnation = incarnation
        self.lost_seconds = lost_seconds
        self.registrations: list[Register] = []
        self.ids: list[WorkerId] = []
        self.beats: list[Heartbeat] = []
        self.left: list[Leave] = []
        self.heard: list[DriverMessage] = []
        self.may_leave = False
        self.mute = False
        self._fenced: set[WorkerId] = set()
        self._numbers = itertools.count()
        self._sent: dict[WorkerId, int] = {}
        self._next: dict[WorkerId, int] = {}
        self._lock = threading.Lock()
        self._peers = FlightPeers()
        self._node = FlightNode(self, listen, "fake-driver")
        self._awake = threading.Event()

    @property
    def uri(self) -> str:
        """Where it listens."""
        return self._node.uri

    @property
    def address(self) -> str:
        """The same, as --driver takes it."""
        return self.uri.removeprefix("grpc://")

    def __enter__(self) -> FakeDriver:
        self._node.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._awake.set()
        self._node.close(3)
        self._peers.close()

    def fence(self, worker: WorkerId) -> None:
        """Refuses this worker from now on."""
        self._fenced.add(worker)

    def order(self, *messages: WorkerMessage, number: int = -1) -> Heard:
        """Sends orders to the worker that registered as the `number`-th."""
        worker = self.ids[number]
        first = self._sent.get(worker, 0)
        self._sent[worker] = first + len(messages)
        return self.call("orders", Orders(self.incarnation, worker, first, messages), Heard)

    def call(self, action: str, body: Any, kind: type, seconds: float = 10.0) -> Any:
        """Asks the latest worker's mesh listener."""
        address = self.registrations[-1].address.mesh
        (answer,) = self._peers.call(address, action, body if isinstance(body, bytes) else encode(body), seconds)
        return decode(answer, kind)

    def actions(self) -> tuple[ActionKind, ...]:
        return ()

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        return [encode(self._answer(name, body, call))]

    def _answer(self, name: str, body: bytes, call: Call) -> Any:
        match name:
            case "mesh-address":
                return MeshListener(self.incarnation, self.uri)
            case "register":
                return self._register(decode(body, Register))
            case "heartbeat":
                return self._beat(decode(body, Heartbeat), call)
            case "leave":
                self.left.append(decode(body, Leave))
                return Done()
            case _ if name in _REPORTS:
                return self._report(read_reports(name, body))
        raise UnsupportedFeature(f"no action {name}")

    def _register(self, said: Register) -> Registered:
        with self._lock:
            worker = WorkerId(f"{said.name}-{next(self._numbers):04x}")
            self.registrations.append(said)
            self.ids.append(worker)
        return Registered(worker, self.incarnation, KEY, 0.1, self.lost_seconds)

    def _beat(self, said: Heartbeat, call: Call) -> HeartbeatHeard:
        while self.mute and not call.is_cancelled() and not self._awake.wait(0.05):
            pass
        if said.worker in self._fenced or said.worker not in self.ids:
            raise Fenced(f"{said.worker} is fenced")
        self.beats.append(said)
        return HeartbeatHeard(self.incarnation, self.may_leave)

    def _report(self, said: Reports) -> Heard:
        if said.worker in self._fenced or said.driver != self.incarnation:
            raise Fenced(f"{said.worker} is fenced")
        with self._lock:
            known = self._next.get(said.worker, 0)
            self.heard.extend(said.messages[known - said.first :])
            self._next[said.worker] = max(known, said.first + len(said.messages))
            return Heard(self._next[said.worker])

    def get(self, ticket: bytes, call: Call) -> OutStream:
        raise UnsupportedFeature("no rows here")

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        raise UnsupportedFeature("no rows here")

    def info(self, asked: Asked, call: Call) -> Info:
        raise UnsupportedFeature("no plans here")

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        raise UnsupportedFeature("no plans here")

    def list(self, call: Call) -> Iterable[Info]:
        return ()

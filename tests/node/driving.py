"""A driver's node on loopback, and workers played by the tests: they register, say what they are told to say, and keep what the
driver orders."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pyarrow as pa

from flightmesh.config import Config
from flightmesh.driver.events import JobOptions, ResultAt
from flightmesh.errors import UnsupportedFeature
from flightmesh.ids import WorkerId
from flightmesh.kernel.hash import VERSION as HASH_VERSION
from flightmesh.node.driver_node import DriverNode
from flightmesh.node.people import People
from flightmesh.node.roots import Roots
from flightmesh.protocol.client_messages import Done
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.messages import (
    DriverMessage,
    JobReleased,
    PlanStage,
    ReleaseJob,
    ResultRead,
    RunTask,
    TaskReport,
    TaskState,
    WorkerMessage,
    Written,
)
from flightmesh.protocol.node_messages import (
    PROTOCOL_VERSION,
    Drain,
    Heard,
    Heartbeat,
    HeartbeatHeard,
    Leave,
    Load,
    NodeAddress,
    Orders,
    Register,
    Registered,
    Reports,
)
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.transport.control import order_kinds, read_orders
from flightmesh.transport.flight_peers import FlightPeers
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.inbox import Inbox
from flightmesh.transport.service import ActionKind, Asked, Call, Info, InStream, OutStream

SECONDS = 10.0
IDLE = Load(2, 0, 0, 0, 0.0, 1, 0)
FROM_WORKERS = JobOptions(result=ResultAt.WORKERS)


class Actions:
    """A service of actions alone."""

    def actions(self) -> tuple[ActionKind, ...]:
        return ()

    def get(self, ticket: bytes, call: Call) -> OutStream:
        _refuse()

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        _refuse()

    def info(self, asked: Asked, call: Call) -> Info:
        _refuse()

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        _refuse()

    def list(self, call: Call) -> Iterable[Info]:
        _refuse()

    def close(self) -> None:
        pass


def _refuse() -> NoReturn:
    raise UnsupportedFeature("this service has actions alone")


class PeopleService(Actions):
    """A client listener where people's actions are all there is."""

    def __init__(self, mesh: MeshDriver, people: People, roots: Roots) -> None:
        self._people = people

    def actions(self) -> tuple[ActionKind, ...]:
        return People.ACTIONS

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        return self._people.act(name, body)


@contextmanager
def driver_node(config: Config | None = None) -> Iterator[DriverNode]:
    """A driver on loopback, closed at the end."""
    node = DriverNode(config or Config(), PeopleService)
    node.start()
    try:
        yield node
    finally:
        node.close()


class PlayedWorker(Actions):
    """A worker that the test plays. What it is ordered is in `orders`; with `obeys`, every task finishes at once without rows,
    every result counts as read, every job is released."""

    def __init__(self, driver: DriverNode, name: str = "w", obeys: bool = False) -> None:
        self.orders: list[WorkerMessage] = []
        self.changed = threading.Condition()
        self._name = name
        self._obeys = obeys
        self._driver = driver
        self._inbox: Inbox[WorkerMessage] = Inbox()
        self._plans: dict[tuple[int, int], PlanStage] = {}
        self._sent = 0
        self._sending = threading.Lock()
        self.peers = FlightPeers()
        self.node = FlightNode(self, name=name)
        self.node.start()
        self.registered: Registered | None = None

    @property
    def id(self) -> WorkerId:
        assert self.registered is not None
        return self.registered.worker

    def description(self, **changed: Any) -> Register:
        """What it says of itself."""
        said: dict[str, Any] = {
            "name": self._name,
            "slots": 2,
            "memory": 1 << 30,
            "disk": 0,
            "address": NodeAddress(self.node.uri, "grpc://127.0.0.1:9"),
            "host": "here",
            "pid": 7,
            "protocol": PROTOCOL_VERSION,
            "hash_version": HASH_VERSION,
        }
        return Register(**(said | changed))

    def register(self, **changed: Any) -> Registered:
        """Joins, and says once that it is alive."""
        self._inbox, self._sent = Inbox(), 0
        self.registered = self.call("register", self.description(**changed), Registered)
        self.beat()
        return self.registered

    def beat(self, drain: Drain = Drain.OPEN, load: Load = IDLE) -> HeartbeatHeard:
        """Says that it is alive."""
        heard: HeartbeatHeard = self.call("heartbeat", Heartbeat(self.id, load, drain), HeartbeatHeard)
        return heard

    def leave(self, reason: str = "the test is over") -> None:
        """Goes."""
        self.call("leave", Leave(self.id, reason), Done)

    def report(self, *messages: DriverMessage) -> Heard:
        """Tells the driver something."""
        assert self.registered is not None
        with self._sending:
            heard: Heard = self.call("reports", Reports(self.registered.driver, self.id, self._sent, messages), Heard)
            self._sent += len(messages)
        return heard

    def call(self, action: str, body: Any, kind: Any) -> Any:
        """Any call of the driver's mesh listener."""
        (answer,) = self.peers.call(self._driver.mesh_uri, action, encode(body), SECONDS)
        return decode(answer, kind)

    def actions(self) -> tuple[ActionKind, ...]:
        return order_kinds()

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        if name == "ping":
            return [encode(Done())]
        if name not in {kind.name for kind in order_kinds()}:
            raise UnsupportedFeature(f"there is no action {name!r} here")
        orders: Orders = read_orders(name, body)
        return [encode(Heard(self._inbox.receive(orders.first, orders.messages, self._take)))]

    def _take(self, order: WorkerMessage) -> None:
        with self.changed:
            self.orders.append(order)
            self.changed.notify_all()
        if self._obeys:
            self.report(*self._obey(order))

    def _obey(self, order: WorkerMessage) -> Iterator[DriverMessage]:
        match order:
            case PlanStage(job=job, stage=stage):
                self._plans[job, stage.id] = order
            case RunTask(attempt=attempt):
                plan = self._plans[attempt.task.job, attempt.task.stage]
                written = tuple(Written(p.edge.id, (0,) * p.buckets, (0,) * p.buckets) for p in plan.outputs)
                yield TaskReport(attempt, 0, TaskState.FINISHED, written=written)
                yield ResultRead(attempt.task.job, attempt.task.index)
            case ReleaseJob(job=job):
                self._plans = {key: plan for key, plan in self._plans.items() if key[0] != job}
                yield JobReleased(job)

    def wait_ordered(self, kind: type, count: int = 1) -> list[Any]:
        """The orders of one kind, once there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self._of(kind)) >= count, SECONDS), f"no {kind.__name__} came"
            return self._of(kind)

    def _of(self, kind: type) -> list[Any]:
        return [order for order in self.orders if isinstance(order, kind)]

    def close(self) -> None:
        """Nobody listens here any more."""
        self.node.close(1.0)
        self.peers.close()


@contextmanager
def played_worker(driver: DriverNode, name: str = "w", obeys: bool = False) -> Iterator[PlayedWorker]:
    """A worker that has not registered yet, closed at the end."""
    worker = PlayedWorker(driver, name, obeys)
    try:
        yield worker
    finally:
        worker.close()

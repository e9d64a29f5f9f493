"""The workers of a driver: who they are, how to reach them, what they have said, which of them are fenced.

Handed registrations, heartbeats and batches of reports by Flight handlers, and orders by the event loop; hands on answers to
the workers and events to the loop. What always holds: a worker id that is not in here is refused with `Fenced`, so one that was
lost or has left never speaks again; orders and reports go in order, each once; nothing here blocks the event loop.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from flightmesh.driver.events import DriverEvent, ReportReceived, WorkerHeard, WorkerJoined, WorkerLeft, WorkerUnreachable
from flightmesh.errors import Fenced, FlightmeshError, InvalidInput
from flightmesh.ids import WorkerId
from flightmesh.protocol.client_messages import NodeStatus
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.messages import WorkerMessage
from flightmesh.protocol.node_messages import (
    Drain,
    Heard,
    Heartbeat,
    HeartbeatHeard,
    Leave,
    Load,
    Orders,
    Register,
    Reports,
)
from flightmesh.transport.inbox import Inbox
from flightmesh.transport.outbox import Outbox
from flightmesh.transport.peers import Peers

GONE_KEPT = 20
"""Workers that are lost or have left, still listed for people."""


@dataclass(slots=True)
class _Link:
    """One worker."""

    id: WorkerId
    name: str
    said: Register
    outbox: Outbox
    heard: float
    inbox: Inbox = field(default_factory=Inbox)
    turn: threading.Lock = field(default_factory=threading.Lock)
    load: Load | None = None
    drain: Drain = Drain.OPEN
    may_leave: bool = False


class WorkerLinks:
    """All workers. `post` hands events to the driver's loop; `call_seconds` is the deadline of one call to a worker."""

    def __init__(self, driver: str, peers: Peers, post: Callable[[DriverEvent], None], call_seconds: float) -> None:
        self._driver = driver
        self._peers = peers
        self._post = post
        self._call_seconds = call_seconds
        self._links: dict[WorkerId, _Link] = {}
        self._gone: deque[NodeStatus] = deque(maxlen=GONE_KEPT)
        self._lock = threading.Lock()
        self._number = secrets.randbelow(1 << 16)

    def add(self, said: Register) -> WorkerId:
        """A worker joins: it gets an id. One that was known at the same address is not there any more."""
        with self._lock:
            replaced = [link for link in self._links.values() if link.said.address.mesh == said.address.mesh]
            taken = {link.name for link in self._links.values() if link not in replaced}
            name = _unique(said.name, taken)
            worker = self._fresh_id(name)
            self._links[worker] = _Link(worker, name, said, self._outbox(worker, said.address.mesh), time.monotonic())
        for link in replaced:
            self._post(WorkerUnreachable(link.id, "it has registered anew"))
        self._post(WorkerJoined(worker, said.slots, name, said.address, said.memory, said.host, said.pid))
        return worker

    def hear_heartbeat(self, said: Heartbeat) -> HeartbeatHeard:
        """A worker is alive. Raises Fenced."""
        link = self._known(said.worker)
        with self._lock:
            link.heard, link.load = time.monotonic(), said.load
            if said.drain is Drain.DRAINING:
                link.drain = Drain.DRAINING
            drain, may_leave = link.drain, link.may_leave
        self._post(WorkerHeard(said.worker, said.load, drain))
        return HeartbeatHeard(self._driver, may_leave)

    def hear_leave(self, said: Leave) -> None:
        """A worker goes. Raises Fenced."""
        self._known(said.worker)
        self._post(WorkerLeft(said.worker, said.reason))

    def hear_reports(self, said: Reports) -> Heard:
        """Messages of a worker, handed to the loop in order, each once. Raises Fenced."""
        if said.driver != self._driver:
            raise Fenced(f"worker {said.worker} registered with an earlier driver")
        link = self._known(said.worker)
        with link.turn:
            new, following = link.inbox.accept(said.first, said.messages)
            for message in new:
                self._post(ReportReceived(said.worker, message))
        return Heard(following)

    def send(self, worker: WorkerId, message: WorkerMessage) -> None:
        """Queues an order. One for a worker that is gone is dropped: the actor has heard, or will hear, of that."""
        with self._lock:
            link = self._links.get(worker)
        if link is not None:
            link.outbox.post(message)

    def fence(self, worker: WorkerId, cause: str) -> None:
        """Refuses a worker from now on."""
        with self._lock:
            link = self._links.pop(worker, None)
            if link is not None:
                self._gone.append(_status(link, "left" if link.may_leave else "lost"))
        if link is not None:
            link.outbox.close()

    def fence_all(self, cause: str) -> None:
        """Refuses every worker: they register anew."""
        for worker in self.ids:
            self.fence(worker, cause)

    def allow_leave(self, worker: WorkerId) -> None:
        """Answers the next heartbeat of a worker with leave to go."""
        with self._lock:
            if (link := self._links.get(worker)) is not None:
                link.may_leave = True

    def drain(self, name: str) -> None:
        """Has a worker, by name or id, take no new tasks and leave when it has nothing left. Raises InvalidInput."""
        with self._lock:
            link = next((link for link in self._links.values() if name in (link.name, link.id)), None)
            if link is None:
                known = ", ".join(sorted(link.name for link in self._links.values())) or "none"
                raise InvalidInput(f"there is no worker {name!r}", hint=f"workers: {known}")
            link.drain = Drain.DRAINING
            load = link.load
        if load is not None:
            self._post(WorkerHeard(link.id, load, Drain.DRAINING))

    def mesh_uri(self, worker: WorkerId) -> str:
        """Where a worker listens for nodes. Raises Fenced."""
        return self._known(worker).said.address.mesh

    def client_uri(self, worker: WorkerId) -> str:
        """Where a worker listens for clients. Raises Fenced."""
        return self._known(worker).said.address.client

    @property
    def ids(self) -> tuple[WorkerId, ...]:
        """The workers that are not fenced, the earliest first."""
        with self._lock:
            return tuple(self._links)

    @property
    def names(self) -> dict[WorkerId, str]:
        """What people call them, those lately gone among them."""
        with self._lock:
            gone = {status.id: status.name for status in self._gone}
            return gone | {link.id: link.name for link in self._links.values()}

    def alive(self) -> tuple[NodeStatus, ...]:
        """The workers that are not fenced."""
        with self._lock:
            return tuple(_status(link, "alive" if link.drain is Drain.OPEN else "draining") for link in self._links.values())

    def all(self) -> tuple[NodeStatus, ...]:
        """These, and those lately gone before them."""
        with self._lock:
            gone = tuple(self._gone)
        return (*gone, *self.alive())

    def close(self) -> None:
        """Ends all outboxes."""
        with self._lock:
            links = list(self._links.values())
            self._links.clear()
        for link in links:
            link.outbox.close()

    def _known(self, worker: WorkerId) -> _Link:
        with self._lock:
            link = self._links.get(worker)
        if link is None:
            raise Fenced(f"worker {worker} is not known here: it was declared lost, or has left", hint="register anew")
        return link

    def _fresh_id(self, name: str) -> WorkerId:
        while True:
            self._number = (self._number + 1) % (1 << 16)
            worker = WorkerId(f"{name}-{self._number:04x}")
            if worker not in self._links:
                return worker

    def _outbox(self, worker: WorkerId, address: str) -> Outbox:
        def send(first: int, messages: tuple[WorkerMessage, ...]) -> int:
            body = encode(Orders(self._driver, worker, first, messages))
            (answer,) = self._peers.call(address, "orders", body, self._call_seconds)
            heard: Heard = decode(answer, Heard)
            return heard.next

        def failed(error: FlightmeshError) -> None:
            self._post(WorkerUnreachable(worker, error.message))

        return Outbox(send, failed, f"flightmesh-orders-{worker}")


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name}-{number}"
    return unique


def _status(link: _Link, state: str) -> NodeStatus:
    said = link.said
    return NodeStatus(
        id=link.id,
        name=link.name,
        role="worker",
        state=state,
        host=said.host,
        pid=said.pid,
        mesh=said.address.mesh,
        client=said.address.client,
        slots=said.slots,
        memory=said.memory,
        seen=round(time.monotonic() - link.heard, 3),
        load=link.load,
    )

"""The workers of a driver: who they are, how to reach them, what they have said, which of them are fenced.

Handed registrations, heartbeats and batches of reports by Flight handlers, and orders by the event loop; hands on answers to
the workers and events to the loop. What always holds: a worker id that is not in here is refused with `Fenced`, so one that was
lost or has left never speaks again; orders and reports go in order, each once; nothing here blocks the event loop.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import field

from flightmesh.dataclass import dataclass
from flightmesh.driver.events import DriverEvent, ReportReceived, WorkerHeard, WorkerJoined, WorkerLeft, WorkerUnreachable
from flightmesh.errors import Fenced, FlightmeshError, InvalidInput, NotAllowed
from flightmesh.ids import WorkerId
from flightmesh.protocol.messages import DriverMessage, WorkerMessage
from flightmesh.protocol.node_messages import (
    Drain,
    Heard,
    Heartbeat,
    HeartbeatHeard,
    Leave,
    Load,
    NodeAddress,
    Register,
    Reports,
)
from flightmesh.transport.control import orders_dial, orders_sender
from flightmesh.transport.flight_peers import FlightPeers
from flightmesh.transport.inbox import Inbox
from flightmesh.transport.outbox import Outbox


@dataclass(slots=True)
class _Link:
    """One worker."""

    id: WorkerId
    name: str
    address: NodeAddress
    node: str
    outbox: Outbox[WorkerMessage]
    inbox: Inbox[DriverMessage] = field(default_factory=Inbox)
    load: Load | None = None
    is_draining: bool = False
    may_leave: bool = False


class WorkerLinks:
    """All workers. `post` hands events to the driver's loop; `call_seconds` is the deadline of one call to a worker."""

    def __init__(self, driver: str, peers: FlightPeers, post: Callable[[DriverEvent], None], call_seconds: float) -> None:
        self._driver = driver
        self._peers = peers
        self._post = post
        self._call_seconds = call_seconds
        self._links: dict[WorkerId, _Link] = {}
        self._collected: set[WorkerId] = set()
        self._lock = threading.Lock()
        self._number = secrets.randbelow(1 << 16)

    def add(self, said: Register, node: str = "") -> WorkerId:
        """A worker joins: it gets an id, which only the node with this id in its certificate may use. One known at the same
        address is not there any more: the actor fences it."""
        with self._lock:
            replaced = [link for link in self._links.values() if link.address.mesh == said.address.mesh]
            taken = {link.name for link in self._links.values() if link not in replaced}
            name = _unique(said.name, taken)
            worker = self._fresh_id(name)
            self._links[worker] = _Link(worker, name, said.address, node, self._outbox(worker, said.address.mesh))
        self._post(WorkerJoined(worker, said.slots, name, said.address, said.memory, said.host, said.pid, said.serves))
        return worker

    def hear_heartbeat(self, said: Heartbeat, node: str = "") -> HeartbeatHeard:
        """A worker is alive. Raises Fenced; NotAllowed where another node speaks in its name."""
        link = self._speaking(said.worker, node)
        with self._lock:
            link.load = said.load
            drain = Drain.DRAINING if link.is_draining else said.drain
            may_leave = link.may_leave
        self._post(WorkerHeard(said.worker, said.load, drain))
        return HeartbeatHeard(self._driver, may_leave)

    def hear_leave(self, said: Leave, node: str = "") -> None:
        """A worker goes. Raises Fenced and NotAllowed."""
        self._speaking(said.worker, node)
        self._post(WorkerLeft(said.worker, said.reason))

    def hear_reports(self, said: Reports, node: str = "") -> Heard:
        """Messages of a worker, handed to the loop in order, each once. Raises Fenced and NotAllowed."""
        if said.driver != self._driver:
            raise Fenced(f"worker {said.worker} registered with an earlier driver")
        link = self._speaking(said.worker, node)
        following = link.inbox.receive(
            said.first, said.messages, lambda message: self._post(ReportReceived(said.worker, message))
        )
        return Heard(following)

    def send(self, worker: WorkerId, message: WorkerMessage) -> None:
        """Collects an order, which goes with all others for its worker at the next `flush`. One for a worker that is fenced is
        dropped, and the actor hears that it is."""
        with self._lock:
            link = self._links.get(worker)
        if link is None:
            self._post(WorkerUnreachable(worker, "it was fenced"))
        else:
            link.outbox.collect(message)
            self._collected.add(worker)

    def flush(self) -> None:
        """Has the orders go that were collected. Called, as `send` is, by the event loop."""
        for worker in self._collected:
            with self._lock:
                link = self._links.get(worker)
            if link is not None:
                link.outbox.wake()
        self._collected.clear()

    def fence(self, worker: WorkerId) -> None:
        """Refuses a worker from now on."""
        with self._lock:
            link = self._links.pop(worker, None)
            others = {uri for other in self._links.values() for uri in (other.address.mesh, other.address.client)}
        if link is not None:
            link.outbox.close()
            for uri in {link.address.mesh, link.address.client} - others:
                self._peers.forget(uri)

    def fence_all(self) -> None:
        """Refuses every worker: they register anew."""
        for worker in self.ids:
            self.fence(worker)

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
            link.is_draining = True
            load = link.load
        if load is not None:  # else its first heartbeat will say so
            self._post(WorkerHeard(link.id, load, Drain.DRAINING))

    def address(self, worker: WorkerId) -> NodeAddress:
        """Where a worker listens. Raises Fenced."""
        return self._known(worker).address

    @property
    def ids(self) -> tuple[WorkerId, ...]:
        """The workers that are not fenced, the earliest first."""
        with self._lock:
            return tuple(self._links)

    def nodes(self) -> tuple[tuple[WorkerId, str], ...]:
        """The workers that are not fenced, each with the id of its node."""
        with self._lock:
            return tuple((link.id, link.node) for link in self._links.values())

    def close(self) -> None:
        """Ends all outboxes."""
        with self._lock:
            links = list(self._links.values())
            self._links.clear()
        for link in links:
            link.outbox.close()

    def _speaking(self, worker: WorkerId, node: str) -> _Link:
        """The worker in whose name a node speaks, if it is that node's."""
        link = self._known(worker)
        if link.node != node:
            raise NotAllowed(f"node {node} speaks in the name of worker {worker}, which another node is")
        return link

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

    def _outbox(self, worker: WorkerId, address: str) -> Outbox[WorkerMessage]:
        def failed(error: FlightmeshError) -> None:
            self._post(WorkerUnreachable(worker, error.message))

        send = orders_sender(self._peers, address, self._driver, worker, self._call_seconds)
        dial = orders_dial(self._peers, address, self._driver, worker)
        return Outbox(send, failed, f"orders-{worker}", dial=dial, answer_seconds=self._call_seconds)


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name}-{number}"
    return unique

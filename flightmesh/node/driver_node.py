"""The driver's process: the driver, its listener for workers, its listener for clients.

Handed a configuration, an address to listen at and the folders that remote SQL may read; hands on two addresses. What always
holds: both listeners are up when `start` returns; `close` refuses what is new, ends what runs with a clear error, and never
hangs.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack
from typing import Protocol

from flightmesh.config import Config, available_cores
from flightmesh.dataclass import dataclass
from flightmesh.ids import WorkerId
from flightmesh.node.addresses import reached_at
from flightmesh.node.announcement import Lan, Self, announcement_of, description
from flightmesh.node.driver_mesh_service import DriverMeshService
from flightmesh.node.driver_security import DriverSecurity
from flightmesh.node.front_door import FrontDoor
from flightmesh.node.load import ProcessMeter
from flightmesh.node.people import People
from flightmesh.node.roots import EVERYWHERE, Roots
from flightmesh.protocol.client_messages import NodeStatus
from flightmesh.protocol.node_messages import Load
from flightmesh.runtime.machine import memory_limit
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.transport.control import REPORTS
from flightmesh.transport.flight_peers import plain
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.service import Service

ANY_PORT = "grpc://127.0.0.1:0"
CLOSE_SECONDS = 3.0


class ClosingService(Service, Protocol):
    """A service that ends what it has begun."""

    def close(self) -> None:
        """Ends the sessions of its clients."""


class Clients(Protocol):
    """Makes the service of a client listener."""

    def __call__(self, mesh: MeshDriver, people: People, roots: Roots) -> ClosingService:
        """The service; `people` answers what people ask about nodes and jobs."""


@dataclass(frozen=True, slots=True)
class DriverPlace:
    """Where a driver is to be: where clients and workers reach it (URI, port), by what names and addresses besides, what remote
    SQL may read. With `security` the scheme is grpc+tls; with `lan` it is announced."""

    listen: str = ANY_PORT
    peer_port: int = 0
    advertise: tuple[str, ...] = ()
    roots: Roots = EVERYWHERE
    security: DriverSecurity | None = None
    lan: Lan | None = None


class DriverNode:
    """A driver. Clients reach it at one port, workers at another of the same address."""

    def __init__(self, config: Config, clients: Clients, place: DriverPlace | None = None) -> None:
        self._meter = ProcessMeter()
        self._metering = threading.Lock()
        self._place = place = place or DriverPlace()
        self.security = security = place.security
        with ExitStack() as undo:  # an address that cannot be had leaves no thread and no listener
            self.mesh = MeshDriver(config, security.trust if security else plain)
            undo.callback(self.mesh.close)
            at = f"{place.listen.rpartition(':')[0]}:{place.peer_port}"
            mesh_service = DriverMeshService(self.mesh, security)
            for_nodes = security.for_nodes() if security else None
            self._mesh_node = FlightNode(mesh_service, at, "driver-mesh", for_nodes, (REPORTS,))
            undo.callback(self._mesh_node.close, CLOSE_SECONDS)
            self._service = clients(self.mesh, People(self.mesh, self.status), place.roots)
            undo.callback(self._service.close)
            self._client_node = self._for_clients()
            undo.pop_all()
        self._announcement = announcement_of(place.lan, place.listen)

    def _for_clients(self) -> FlightNode:
        if self.security is None:
            return FlightNode(self._service, self._place.listen, "driver-client")
        state, keeper = self.security.state, self.security.doorkeeper
        door = FrontDoor(self._service, state.authority, keeper, self.mesh.incarnation, lambda: self._mesh_node.port)
        return FlightNode(door, self._place.listen, "driver-client", self.security.for_clients())

    @property
    def mesh_uri(self) -> str:
        """Where workers register, as others are told it."""
        return reached_at(self._mesh_node, self._place.advertise)

    @property
    def client_uri(self) -> str:
        """Where clients reach it, and workers that want to join, as others are told it."""
        return reached_at(self._client_node, self._place.advertise)

    def status(self) -> NodeStatus:
        """Its own line among the nodes."""
        nodes = (self._mesh_node, self._client_node)
        with self._metering:
            cpu, rss, threads = self._meter.cores(), self._meter.resident(), self._meter.threads()
        return NodeStatus(
            id=WorkerId(self.mesh.incarnation),
            name="driver",
            role="driver",
            state="alive",
            host=socket.gethostname(),
            pid=os.getpid(),
            mesh=self.mesh_uri,
            client=self.client_uri,
            slots=0,
            memory=0,
            seen=0.0,
            load=Load(0, 0, 0, 0, cpu, rss, sum(node.streams for node in nodes), threads=threads),
            row_bytes=sum(node.bytes_in + node.bytes_out for node in nodes),
        )

    def start(self) -> None:
        """Takes calls from now on."""
        self._mesh_node.start()
        self._client_node.start()
        if self.security is not None:
            self.security.start(self._renew, self.mesh.put_out)
        self._announce()

    def refuse(self) -> None:
        """Cancels what runs and takes no more jobs and workers, but goes on answering. Repeating it is harmless."""
        self.mesh.refuse()

    def close(self) -> None:
        """Cancels what runs, ends both listeners. Repeating it is harmless."""
        self.refuse()
        if self._announcement is not None:
            self._announcement.close()
        if self.security is not None:
            self.security.close()
        self._service.close()
        self.mesh.close()
        self._client_node.close(CLOSE_SECONDS)
        self._mesh_node.close(CLOSE_SECONDS)

    def _announce(self) -> None:
        lan, security = self._place.lan, self.security
        if self._announcement is None or lan is None:
            return
        node = Self(
            role="driver",
            name="driver",
            node=security.node if security else f"driver-{self.mesh.incarnation}",
            incarnation=self.mesh.incarnation,
            cores=available_cores(),
            memory=memory_limit(),
            ca=security.state.authority.fingerprint if security else "",
            mesh=security.state.mesh if security else lan.mesh,
        )
        self._announcement.say(description(node, self._client_node, self._mesh_node, self._place.advertise))

    def _renew(self) -> None:
        """Takes a new certificate: streams that are open go on."""
        assert self.security is not None, "only security renews"
        self._client_node.renew(self.security.for_clients().tls)
        self._mesh_node.renew(self.security.for_nodes().tls)
        self.mesh.peers.renew()

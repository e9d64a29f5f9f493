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

from flightmesh.config import Config
from flightmesh.ids import WorkerId
from flightmesh.node.driver_mesh_service import DriverMeshService
from flightmesh.node.load import ProcessMeter
from flightmesh.node.people import People
from flightmesh.node.roots import EVERYWHERE, Roots
from flightmesh.protocol.client_messages import NodeStatus
from flightmesh.protocol.node_messages import Load
from flightmesh.runtime.mesh_driver import MeshDriver
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


class DriverNode:
    """A driver. Clients reach it at `listen`, workers at another port of the same address."""

    def __init__(self, config: Config, clients: Clients, listen: str = ANY_PORT, roots: Roots = EVERYWHERE) -> None:
        self._meter = ProcessMeter()
        self._metering = threading.Lock()
        with ExitStack() as undo:  # an address that cannot be had leaves no thread and no listener
            self.mesh = MeshDriver(config)
            undo.callback(self.mesh.close)
            self._mesh_node = FlightNode(DriverMeshService(self.mesh), listen.rpartition(":")[0] + ":0", "driver-mesh")
            undo.callback(self._mesh_node.close, CLOSE_SECONDS)
            self._service = clients(self.mesh, People(self.mesh, self.status), roots)
            undo.callback(self._service.close)
            self._client_node = FlightNode(self._service, listen, "driver-client")
            undo.pop_all()

    @property
    def mesh_uri(self) -> str:
        """Where workers register."""
        return self._mesh_node.uri

    @property
    def client_uri(self) -> str:
        """Where clients reach it, and where workers ask for the other address."""
        return self._client_node.uri

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

    def refuse(self) -> None:
        """Cancels what runs and takes no more jobs and workers, but goes on answering. Repeating it is harmless."""
        self.mesh.refuse()

    def close(self) -> None:
        """Cancels what runs, ends both listeners. Repeating it is harmless."""
        self.refuse()
        self._service.close()
        self.mesh.close()
        self._client_node.close(CLOSE_SECONDS)
        self._mesh_node.close(CLOSE_SECONDS)

"""The driver's process: the driver, its listener for workers, its listener for clients.

Handed a configuration, an address to listen at and the folders that remote SQL may read; hands on two addresses. What always
holds: both listeners are up when `start` returns; `close` refuses what is new, ends what runs with a clear error, and never
hangs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from flightmesh.config import Config
from flightmesh.node.driver_mesh_service import DriverMeshService
from flightmesh.node.people import People
from flightmesh.protocol.node_messages import NodeAddress
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.service import Service

LOG = logging.getLogger(__name__)
ANY_PORT = "grpc://127.0.0.1:0"
CLOSE_SECONDS = 3.0


class DriverNode:
    """A driver. `clients` makes the service of the client listener; `listen` is that listener's address, `mesh_listen` the other
    one's."""

    def __init__(
        self,
        config: Config,
        clients: Callable[[MeshDriver, People], Service],
        listen: str = ANY_PORT,
        mesh_listen: str = ANY_PORT,
    ) -> None:
        self.mesh = MeshDriver(config)
        people = People(self.mesh, lambda: self.address)
        self._mesh_node = FlightNode(DriverMeshService(self.mesh), mesh_listen, "driver-mesh")
        self._client_node = FlightNode(clients(self.mesh, people), listen, "driver-client")

    @property
    def address(self) -> NodeAddress:
        """Where it listens."""
        return NodeAddress(self.mesh_uri, self.client_uri)

    @property
    def mesh_uri(self) -> str:
        """Where workers reach it."""
        return self._mesh_node.uri

    @property
    def client_uri(self) -> str:
        """Where clients reach it, and where workers ask for the other address."""
        return self._client_node.uri

    def start(self) -> None:
        """Takes calls from now on."""
        self._mesh_node.start()
        self._client_node.start()

    def close(self) -> None:
        """Cancels what runs, ends both listeners. Repeating it is harmless."""
        self.mesh.close()
        self._client_node.close(CLOSE_SECONDS)
        self._mesh_node.close(CLOSE_SECONDS)

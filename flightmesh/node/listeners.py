"""A worker's two listeners as one thing: for nodes of its mesh, and for clients.

Handed two services and where to listen; hands on addresses as others are told them. What always holds: both ports are had
before anybody is told of one; where the usual ports are taken, and nobody asked for them, any others do, which is said.
"""

from __future__ import annotations

import logging

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig
from flightmesh.node.addresses import reached_at
from flightmesh.node.worker_security import WorkerSecurity
from flightmesh.protocol.node_messages import NodeAddress
from flightmesh.transport.control import ORDERS
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.security import Security
from flightmesh.transport.service import Service

LOG = logging.getLogger(__name__)
ANY_PORT = "grpc://127.0.0.1:0"


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen for nodes and for clients (URIs). `spare`: where to, for either, if the port is taken; None: nowhere.
    `advertise`: names by which others reach it."""

    nodes: str = ANY_PORT
    clients: str = ANY_PORT
    spare: str | None = None
    advertise: tuple[str, ...] = ()


ON_THIS_MACHINE = Listening()


class Listeners:
    """Both. They answer from `start` on."""

    def __init__(self, nodes: Service, clients: Service, where: Listening, security: WorkerSecurity | None) -> None:
        """Raises InvalidConfig when an address cannot be had."""
        self._where = where
        self._security = security
        of_nodes = security.for_nodes() if security else None
        self.nodes = _open(nodes, where.nodes, where.spare, "worker-mesh", of_nodes, (ORDERS,))
        try:
            of_clients = security.for_clients() if security else None
            self.clients = _open(clients, where.clients, where.spare, "worker-client", of_clients)
        except InvalidConfig:
            self.nodes.close(0.1)
            raise

    def start(self) -> None:
        """Takes calls from now on."""
        self.nodes.start()
        self.clients.start()

    @property
    def streams(self) -> int:
        """Data streams open now."""
        return self.nodes.streams + self.clients.streams

    def address(self, towards: str | None = None) -> NodeAddress:
        """Where they are, as others are told it who are on the way to the host `towards`."""
        mesh, clients = (reached_at(node, self._where.advertise, towards) for node in (self.nodes, self.clients))
        return NodeAddress(mesh, clients)

    def renew(self) -> None:
        """Takes a new certificate: streams that are open go on."""
        assert self._security is not None, "only security renews"
        self.nodes.renew(self._security.tls_for_nodes())
        self.clients.renew(self._security.tls_for_clients())

    def close(self, seconds: float) -> None:
        """Ends both, each within so long."""
        self.clients.close(seconds)
        self.nodes.close(seconds)


def _open(
    service: Service, listen: str, spare: str | None, name: str, security: Security | None, lines: tuple[str, ...] = ()
) -> FlightNode:
    try:
        return FlightNode(service, listen, name, security, lines)
    except InvalidConfig:
        if spare is None:
            raise
    node = FlightNode(service, spare, name, security, lines)
    LOG.warning("port %s is taken: %s listens at port %d", listen.rpartition(":")[2], name, node.port)
    return node

"""What a node says of itself on the LAN by mDNS, while it is one of a mesh.

Handed a node's listeners and what it is; keeps an announcer. What always holds: nothing secret is said; a node that listens at
this machine's own address alone announces nothing, since nobody else reaches it.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from typing import Protocol

from flightmesh.dataclass import dataclass
from flightmesh.discovery.found import FoundNode
from flightmesh.node.addresses import EVERY_ADDRESS
from flightmesh.protocol.node_messages import PROTOCOL_VERSION
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.security import TLS_SCHEME, host_of, scheme_of


@dataclass(frozen=True, slots=True)
class Lan:
    """That a node is to be found on its networks. `mesh`: the name; `interfaces`: names or addresses, none for all."""

    mesh: str
    interfaces: tuple[str, ...] = ()


class Announced(Protocol):
    """What `discovery.announcing.Announcer` is."""

    def update(self, node: FoundNode) -> None:
        """Says something else."""

    def close(self) -> None:
        """Says goodbye."""


@dataclass(frozen=True, slots=True)
class Self:
    """What a node is. `node`: its id; `ca`: the fingerprint of its mesh's CA, empty without TLS."""

    role: str
    name: str
    node: str
    incarnation: str
    cores: int
    memory: int
    ca: str
    mesh: str


def description(of: Self, clients: FlightNode, nodes: FlightNode, advertise: tuple[str, ...]) -> FoundNode:
    """The node as it is announced."""
    return FoundNode(
        mesh=of.mesh,
        role=of.role,
        node=of.node,
        incarnation=of.incarnation,
        protocol=PROTOCOL_VERSION,
        hosts=_hosts(clients, advertise),
        port=clients.port,
        peer_port=nodes.port,
        cores=of.cores,
        memory=of.memory,
        secure=scheme_of(clients.uri) == TLS_SCHEME,
        ca=of.ca[:16],
        name=of.name,
    )


def is_reached_by_others(listen: str) -> bool:
    """Whether anybody but this machine reaches a node that listens at a URI."""
    try:
        return not ipaddress.ip_address(host_of(listen)).is_loopback
    except ValueError:
        return host_of(listen) != "localhost"


class Announcement:
    """One node's, from its first `say` to `close`. Any thread may call."""

    def __init__(self, make: Callable[[FoundNode], Announced]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._said: tuple[str, Announced] | None = None

    def say(self, node: FoundNode) -> None:
        """The node as it is now; one with another id takes the place of the one before."""
        with self._lock:
            if self._said is not None and self._said[0] == node.node:
                self._said[1].update(node)
                return
            self._end()
            self._said = (node.node, self._make(node))

    def close(self) -> None:
        """Says goodbye, if anything was said. Repeating it is harmless."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._said is not None:
            self._said[1].close()
            self._said = None


def announcement_of(lan: Lan | None, listen: str) -> Announcement | None:
    """The announcement of a node that listens at a URI; None where it is not to be found."""
    if lan is None or not is_reached_by_others(listen):
        return None
    from flightmesh.discovery.announcing import Announcer  # zeroconf takes a while to load

    return Announcement(lambda node: Announcer(node, lan.interfaces))


def _hosts(clients: FlightNode, advertise: tuple[str, ...]) -> tuple[str, ...]:
    """Its addresses as others see them; none: those of the interfaces, as they change."""
    return advertise if host_of(clients.uri) in EVERY_ADDRESS else (*advertise, host_of(clients.uri))

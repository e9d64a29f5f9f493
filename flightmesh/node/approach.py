"""What a worker does at a driver's address before it registers, and what it then hears of who is let in.

Handed the address of a client listener; hands on that of the mesh listener. What always holds: an approach that returns has
found a driver that may be registered at.
"""

from __future__ import annotations

from typing import Protocol

from flightmesh.discovery.found import DriverAddress, uri
from flightmesh.errors import NodeUnavailable
from flightmesh.protocol.codec import decode
from flightmesh.protocol.enrolment import AccessList
from flightmesh.protocol.node_messages import MeshListener
from flightmesh.transport.peers import Peers

CALL_SECONDS = 5.0


class Approach(Protocol):
    """How a worker goes up to a driver."""

    @property
    def is_secure(self) -> bool:
        """Whether it goes over TLS."""

    def approach(self, uri: str) -> str:
        """The URI of the mesh listener of the driver whose client listener is at `uri`. Raises what stands in the way."""

    def learn(self, access: AccessList) -> None:
        """Who is let in from now on."""


class PlainApproach:
    """On a mesh without TLS: the driver is asked."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    @property
    def is_secure(self) -> bool:
        """It is not."""
        return False

    def approach(self, uri: str) -> str:
        """The mesh listener that the driver names."""
        answers = self._peers.call(uri, "mesh-address", b"", CALL_SECONDS)
        if len(answers) != 1:
            raise NodeUnavailable(f"{uri} gave {len(answers)} answers to mesh-address", hint="is this a flightmesh driver?")
        found: MeshListener = decode(answers[0], MeshListener)
        return found.mesh

    def learn(self, access: AccessList) -> None:
        """A mesh without TLS keeps nobody out."""


def uri_for(address: DriverAddress, approach: Approach) -> str:
    """The URI of an address, as the approach goes there."""
    return uri(address.host, address.port, secure=approach.is_secure)

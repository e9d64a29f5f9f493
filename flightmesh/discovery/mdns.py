"""Drivers that announce themselves on the LAN.

Handed the mesh that is sought: its name, and the beginning of its authority's fingerprint, from the token; hands on the
addresses of its drivers. What always holds: a driver of another mesh, or one that we could not talk to, is no candidate, and
the latter is said so once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from flightmesh.discovery.browsing import NodeBrowser
from flightmesh.discovery.found import DRIVER, DriverAddress, FoundNode, addresses_of
from flightmesh.protocol.node_messages import PROTOCOL_VERSION

LOG = logging.getLogger(__name__)
CA_DIGITS = 16
"""How much of the fingerprint is announced."""
MOST_OTHERS = 3
"""How many of a LAN's other meshes are named to who waits."""


class MdnsSource:
    """`mesh`: None for any; `ca`: the fingerprint or its beginning, empty where the mesh sought is an insecure one."""

    def __init__(self, mesh: str | None, ca: str, interfaces: Sequence[str] = ()) -> None:
        self._mesh = mesh
        self._ca = ca[:CA_DIGITS]
        self._browser = NodeBrowser(interfaces)
        self._count = self._browser.count
        self._unfit = ""
        self._others: tuple[str, ...] = ()
        self._said: set[tuple[str, str]] = set()

    def candidates(self) -> tuple[DriverAddress, ...]:
        """The drivers that are there now; the one heard last first, so one that was restarted before what it was."""
        self._count = self._browser.count
        self._unfit = ""
        drivers = [node for node in self._browser.nodes() if node.role == DRIVER]
        self._others = tuple(sorted({f"{node.mesh} at {node.hosts[0]}" for node in drivers if not self._sought(node)}))
        fit = [node for node in drivers if self._sought(node) and not self._tell_unfit(node)]
        addresses = [address for node in fit for address in addresses_of(node)]
        return tuple({address.location: address for address in reversed(addresses)}.values())[::-1]

    def wait_changed(self, seconds: float) -> None:
        """Until a node has come, gone or changed."""
        self._browser.wait_past(self._count, seconds)

    def waiting_for(self) -> str:
        """The mesh, and who was found that would not do."""
        name = f"the mesh {self._mesh}" if self._mesh else "the token's mesh" if self._ca else "a mesh"
        others = f"there are other meshes: {', '.join(self._others[:MOST_OTHERS])}" if self._others else ""
        return "; ".join(filter(None, (f"a driver of {name} on the LAN", self._unfit, others)))

    def close(self) -> None:
        """Whoever waits goes on."""
        self._browser.close()

    def _sought(self, node: FoundNode) -> bool:
        return self._mesh in (None, node.mesh) and (node.ca == self._ca or not self._ca or not node.ca)

    def _tell_unfit(self, node: FoundNode) -> str:
        """Why a driver of the mesh that is sought will not do; empty: it will."""
        unfit = ""
        if node.protocol != PROTOCOL_VERSION:
            unfit = wrong_version(node)
        elif node.secure and not self._ca:
            unfit = f"the driver {node.name} of the mesh {node.mesh} is secure: it asks for a token"
        elif self._ca and not node.secure:
            unfit = f"the driver {node.name} of the mesh {node.mesh} is insecure, which a token is not for"
        if unfit and (node.node, unfit) not in self._said:
            self._said.add((node.node, unfit))
            LOG.warning("%s", unfit)
        self._unfit = self._unfit or unfit
        return unfit


def wrong_version(node: FoundNode) -> str:
    """What is said of a node that speaks another version of the protocol."""
    return (
        f"the {node.role} {node.name} of the mesh {node.mesh} at {node.hosts[0]} speaks version {node.protocol} of the "
        f"protocol, this flightmesh version {PROTOCOL_VERSION}"
    )

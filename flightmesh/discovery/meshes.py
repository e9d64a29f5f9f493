"""The meshes on this LAN, for clients that were not told where their driver is.

Handed some seconds; hands on the drivers that answered, and of them the one that is meant. What always holds: where more than
one mesh is there nobody guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flightmesh.discovery.browsing import TO_ALL, NodeBrowser
from flightmesh.discovery.found import DRIVER, FoundNode
from flightmesh.discovery.interfaces import check_interfaces
from flightmesh.discovery.mdns import CA_DIGITS, wrong_version
from flightmesh.errors import InvalidConfig, NodeUnavailable
from flightmesh.protocol.node_messages import PROTOCOL_VERSION

SECONDS = 2.0
QUIET_SECONDS = 0.35
"""Answers come within 0.12 s of the question, as RFC 6762 has it; who is later was busy."""


def find_meshes(seconds: float = SECONDS, interfaces: Sequence[str] = (), mesh: str | None = None) -> tuple[FoundNode, ...]:
    """The drivers on the LAN, by mesh, the one heard last first. Less than `seconds` where one of the mesh that is sought (any,
    if None) has answered and no more do."""
    found = find_nodes(seconds, interfaces, sought=lambda node: node.role == DRIVER and mesh in (None, node.mesh))
    return tuple(node for node in found if node.role == DRIVER)


def find_nodes(
    seconds: float = SECONDS,
    interfaces: Sequence[str] = (),
    quiet: float = QUIET_SECONDS,
    sought: Callable[[FoundNode], bool] = lambda node: True,
) -> tuple[FoundNode, ...]:
    """All nodes on the LAN, likewise. `quiet`: how long nothing new has to come after one that is sought."""
    check_interfaces(interfaces)
    browser = NodeBrowser(interfaces, TO_ALL)  # some, and not all, would be no answer
    try:
        browser.settle(seconds, quiet, sought)
        return tuple(sorted(browser.nodes(), key=lambda node: node.mesh))
    finally:
        browser.close()


def choose(found: Sequence[FoundNode], mesh: str | None = None, ca: str = "") -> FoundNode:
    """The driver that is meant. Raises NodeUnavailable where there is none, InvalidConfig where it could be another as well, or
    speaks another version of the protocol."""
    fit = [node for node in found if mesh in (None, node.mesh) and (not ca or node.ca == ca[:CA_DIGITS])]
    if not fit:
        raise _none(found, mesh)
    meshes = {(node.mesh, node.ca): node for node in reversed(fit)}
    if len(meshes) > 1:
        raise _several(list(meshes.values()))
    driver = next(iter(meshes.values()))
    if driver.protocol != PROTOCOL_VERSION:
        raise InvalidConfig(wrong_version(driver), hint="run the same release of flightmesh on all nodes of a mesh")
    return driver


def _none(found: Sequence[FoundNode], mesh: str | None) -> NodeUnavailable:
    others = f"; there is {_listed(found)}" if found else ""
    sought = f"no mesh {mesh}" if mesh else "none that your token is for" if found else "no mesh"
    hint = "start one with `flightmesh driver`, say --driver HOST:PORT, or see what `flightmesh doctor` says"
    return NodeUnavailable(f"{sought} was found on this LAN{others}", hint=hint)


def _several(meshes: list[FoundNode]) -> InvalidConfig:
    if len({node.mesh for node in meshes}) == 1:
        hint = "say --driver HOST:PORT, or give the token of the one you mean"
        return InvalidConfig(f"there are {len(meshes)} meshes of one name on this LAN: {_listed(meshes)}", hint=hint)
    hint = f"say which one: --mesh {min(node.mesh for node in meshes)}"
    return InvalidConfig(f"there are {len(meshes)} meshes on this LAN: {_listed(meshes)}", hint=hint)


def _listed(nodes: Sequence[FoundNode]) -> str:
    ordered = sorted(nodes, key=lambda node: (node.mesh, node.hosts))
    return ", ".join(dict.fromkeys(f"{node.mesh} (driver {node.name} at {node.hosts[0]})" for node in ordered))

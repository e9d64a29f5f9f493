"""Where a node is to be, from its settings: what it listens at, how it is secured, how it finds its mesh.

Handed the configuration of a driver or a worker; hands on a `DriverPlace`, or a `Place` and where to look for drivers. What
always holds: without TLS a node listens at this machine's own address, unless it was told another; the usual ports give way to
any other only where nobody asked for them.
"""

from __future__ import annotations

import logging
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from flightmesh.cli.addresses import PLAIN, TLS, is_loopback, listen_uri, node_uri
from flightmesh.cli.tokens_given import worker_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flightmesh.config import NodeConfig
    from flightmesh.discovery.opening import Sought
    from flightmesh.node.announcement import Lan
    from flightmesh.node.driver_node import DriverPlace
    from flightmesh.node.driver_security import DriverSecurity
    from flightmesh.node.listeners import Listening
    from flightmesh.node.roots import Roots
    from flightmesh.node.worker_node import Place
    from flightmesh.node.worker_security import WorkerSecurity

LOG = logging.getLogger(__name__)
MESH = "flightmesh"
"""What a mesh is called, if nothing else is said."""
DRIVER_PORT, DRIVER_PEER_PORT = 8815, 8816
WORKER_PORT, WORKER_PEER_PORT = 8817, 8818


def driver_place(node: NodeConfig) -> DriverPlace:
    """Of a driver. Makes its mesh where there is none of that name. Raises InvalidConfig."""
    from flightmesh.node.driver_node import DriverPlace

    where = listen_uri(node.listen, node.insecure, DRIVER_PORT if node.port is None else node.port)
    usual = 0 if node.insecure else DRIVER_PEER_PORT
    return DriverPlace(
        listen=where,
        peer_port=usual if node.peer_port is None else node.peer_port,
        advertise=node.advertise,
        roots=open_roots(node.allow_roots, where).without(secret_places(node)),
        security=None if node.insecure else _driver_security(node, where),
        lan=_lan(node),
    )


def worker_place(node: NodeConfig, token: str | None) -> tuple[Place, Sought]:
    """Of a worker, and where it looks for its driver. `token`: of the command line. Raises InvalidConfig, InvalidToken."""
    from flightmesh.discovery.opening import Sought
    from flightmesh.node.offers import read_offers
    from flightmesh.node.worker_node import Place

    listening = _listening(node)
    security = None if node.insecure else _worker_security(node, token, listening)
    place = Place(
        name=node.name or _name_of_machine(),
        listening=listening,
        roots=open_roots(node.allow_roots, listening.nodes).without(secret_places(node)),
        offers=read_offers(node.serve, node.serve_replicas),
        security=security,
        lan=_lan(node),
    )
    scheme = PLAIN if node.insecure else TLS
    sought = Sought(
        driver=None if node.driver is None else node_uri(node.driver, scheme=scheme),
        peers=node.peers,
        dns=node.dns,
        mdns=node.mdns,
        mesh=node.mesh,
        ca="" if security is None else security.fingerprint,
        interfaces=node.interfaces,
    )
    return place, sought


def warn_insecure(listen: str) -> None:
    """Says in the log what doing without TLS means."""
    who = "whoever is on this machine" if is_loopback(listen) else "WHOEVER REACHES THIS ADDRESS"
    LOG.warning("INSECURE: no TLS and no tokens at %s: %s may run queries and join (--insecure)", listen, who)


def open_roots(texts: Sequence[str], listen: str) -> Roots:
    """What may be read: the roots that were named; without any, everything, if nobody else reaches this node."""
    from flightmesh.node.roots import EVERYWHERE, Roots, read_roots

    if texts:
        return read_roots(texts)
    return EVERYWHERE if is_loopback(listen) else Roots(())


def secret_places(node: NodeConfig) -> tuple[Path, ...]:
    """Where this user's secrets of meshes are: keys and tokens in the states of drivers, a node's token file, and what /proc
    tells of environments."""
    from flightmesh.trust.state import default_folder, kept_meshes

    folders = (default_folder(), *(() if node.state is None else (Path(node.state),)))
    states = [folder / mesh for folder in folders for mesh in (*kept_meshes(folder), node.mesh or MESH)]
    return (*states, *(() if node.token_file is None else (Path(node.token_file),)), Path("/proc"))


def _driver_security(node: NodeConfig, listen: str) -> DriverSecurity:
    from flightmesh.node.addresses import own_addresses
    from flightmesh.node.driver_security import DriverSecurity
    from flightmesh.trust.state import default_folder, open_state

    folder = default_folder() if node.state is None else Path(node.state)
    state = open_state(folder, node.mesh or MESH)
    return DriverSecurity(state, node.certificate_hours, lambda: own_addresses(listen, node.advertise))


def _worker_security(node: NodeConfig, token: str | None, listening: Listening) -> WorkerSecurity:
    from flightmesh.node.addresses import own_addresses
    from flightmesh.node.worker_security import WorkerSecurity
    from flightmesh.trust.tokens import Kind, read_token

    text = worker_token(token, node.token_file, node.mesh or MESH)
    return WorkerSecurity(read_token(text, Kind.WORKER), lambda: own_addresses(listening.nodes, listening.advertise))


def _listening(node: NodeConfig) -> Listening:
    """Where a worker listens: with TLS at the usual ports, if they are free, else and without at any."""
    from flightmesh.node.listeners import Listening

    usual = (0, 0) if node.insecure else (WORKER_PORT, WORKER_PEER_PORT)
    nodes = listen_uri(node.listen, node.insecure, usual[1] if node.peer_port is None else node.peer_port)
    host, _, written = nodes.rpartition(":")
    asked_for = node.port is not None or written != str(usual[1])
    clients = f"{host}:{usual[0] if node.port is None else node.port}"
    return Listening(nodes, clients, None if asked_for else f"{host}:0", node.advertise)


def _lan(node: NodeConfig) -> Lan | None:
    from flightmesh.node.announcement import Lan

    return Lan(node.mesh or MESH, node.interfaces) if node.mdns else None


def _name_of_machine() -> str:
    name = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname().partition(".")[0]).strip("-")
    return name[:63] or "worker"

"""A node as DNS-SD records, and back.

Handed a FoundNode, or the records that somebody on the LAN sent; hands on the other. What always holds: what comes from the
LAN is taken for what strangers say: whatever is not of the expected form makes no node, and no text of it reaches a terminal
as it is.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Sequence

from zeroconf import ServiceInfo

from flightmesh.discovery.found import DRIVER, WORKER, FoundNode

SERVICE = "_flightmesh._tcp.local."
HOST_TTL = 60
"""Seconds that addresses are believed."""
SERVICE_TTL = 1200
"""Seconds that the rest is believed: zeroconf asks again well before, and keeps no shorter one."""
HOST_BYTES = 240
"""A string of a TXT record has 255."""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}\Z")
_WORD = re.compile(r"[\w.@-][\w .@-]{0,62}\Z")
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
_INCARNATION = re.compile(r"[A-Za-z0-9._-]{0,96}\Z")
_FINGERPRINT = re.compile(r"([0-9a-f]{16})?\Z")


def to_service(node: FoundNode, addresses: Sequence[str]) -> ServiceInfo:
    """What is announced: the records of a node whose machine has these addresses. The TXT record has them too: it has an order,
    and changes as a whole, where a cache may have old address records beside new ones."""
    hosts = _fitting(node.hosts if any(map(_is_address, node.hosts)) else (*node.hosts, *addresses))
    label = _label(node.node)
    properties = {
        "mesh": node.mesh,
        "role": node.role,
        "id": node.node,
        "inc": node.incarnation,
        "ver": str(node.protocol),
        "cores": str(node.cores),
        "mem": str(node.memory),
        "sec": "1" if node.secure else "0",
        "ca": node.ca,
        "peer": str(node.peer_port),
        "name": node.name,
        "host": ",".join(hosts),
    }
    return ServiceInfo(
        SERVICE,
        f"{label}.{SERVICE}",
        port=node.port,
        properties=properties,
        server=f"{label}.local.",
        host_ttl=HOST_TTL,
        other_ttl=SERVICE_TTL,
        parsed_addresses=[host for host in hosts if _is_address(host)],
    )


def from_service(info: ServiceInfo) -> FoundNode | None:
    """The node that the records tell of; None where they are not of the expected form."""
    said = {key: value or "" for key, value in info.decoded_properties.items()}
    hosts = said.get("host", "").split(",")
    numbers = [_number(said.get(key, "")) for key in ("ver", "cores", "mem", "peer")]
    formed = (
        _LABEL.match(said.get("mesh", ""))
        and said.get("role") in (DRIVER, WORKER)
        and _NODE.match(said.get("id", ""))
        and _INCARNATION.match(said.get("inc", ""))
        and _FINGERPRINT.match(said.get("ca", ""))
        and said.get("sec") in ("0", "1")
        and _WORD.match(said.get("name", ""))
        and all(_is_address(host) or _HOST_NAME.match(host) for host in hosts)
        and info.port
    )
    version, cores, memory, peer_port = numbers
    if not formed or version is None or cores is None or memory is None or peer_port is None or peer_port > 65535:
        return None
    return FoundNode(
        mesh=said["mesh"],
        role=said["role"],
        node=said["id"],
        incarnation=said["inc"],
        protocol=version,
        hosts=tuple(hosts),
        port=int(info.port or 0),
        peer_port=peer_port,
        cores=cores,
        memory=memory,
        secure=said["sec"] == "1",
        ca=said["ca"],
        name=said["name"],
    )


def _label(node: str) -> str:
    """An id as one DNS label of at most 63 bytes: itself, or its beginning and what tells it from others."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", node):
        return node
    return re.sub(r"[^A-Za-z0-9_-]", "-", node)[:46] + "-" + hashlib.sha256(node.encode()).hexdigest()[:16]


def _fitting(hosts: Sequence[str]) -> list[str]:
    """As many as go into one string."""
    fitting: list[str] = []
    for host in hosts:
        if len(",".join([*fitting, host])) <= HOST_BYTES:
            fitting.append(host)
    return fitting


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""Nodes to announce."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flightmesh.discovery.found import DRIVER, WORKER, FoundNode
from flightmesh.protocol.node_messages import PROTOCOL_VERSION

_DRIVER = FoundNode(
    mesh="flightmesh",
    role=DRIVER,
    node="d-00000001",
    incarnation="aa01",
    protocol=PROTOCOL_VERSION,
    hosts=(),
    port=8815,
    peer_port=8816,
    cores=8,
    memory=16 << 30,
    secure=True,
    ca="0123456789abcdef",
    name="driver",
)
_WORKER = replace(_DRIVER, role=WORKER, node="w3f9a2c1-00000002", port=8817, peer_port=8818, name="worker")


def driver(**other: Any) -> FoundNode:
    """A driver; what is named is otherwise."""
    return replace(_DRIVER, **other)


def worker(**other: Any) -> FoundNode:
    """A worker; what is named is otherwise."""
    return replace(_WORKER, **other)

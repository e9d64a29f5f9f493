"""How the rows of an exchange are dealt to buckets."""

from __future__ import annotations

from typing import TypeAlias

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Column


@dataclass(frozen=True, slots=True)
class Hash:
    """Equal keys, equal bucket."""

    keys: tuple[Column, ...]
    buckets: int


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Batches dealt in turn."""

    buckets: int


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Every consumer task reads the one bucket whole."""


@dataclass(frozen=True, slots=True)
class Single:
    """One bucket, one consumer task."""


Partitioning: TypeAlias = Hash | RoundRobin | Broadcast | Single


def bucket_count(partitioning: Partitioning) -> int:
    """Buckets of an edge with this partitioning."""
    match partitioning:
        case Hash(buckets=buckets) | RoundRobin(buckets=buckets):
            return buckets
        case Broadcast() | Single():
            return 1

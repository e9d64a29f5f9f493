"""The one configuration: frozen, parsed once, handed down. Sizes are bytes, times seconds.

`configs/embedded.yaml` is the annotated example. `load` (in `config_file`) validates a file against these fields.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from flightmesh.cgroup import core_limit

MIB = 1024 * 1024


def available_cores() -> int:
    """Cores this process may run on, or the CPU time that its container is given, in cores, if that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, core_limit() or cores)


@dataclass(frozen=True, slots=True)
class PlannerConfig:
    """What the optimizer and the physical planner may choose."""

    broadcast_bytes: int = 64 * MIB
    """Largest estimated build side that is broadcast instead of hash-partitioned (embedded mode shares builds: no limit)."""
    share_builds: bool = True
    """Inside one process, probe tasks share one build and the probe side is not exchanged."""
    join_search_relations: int = 10
    """Largest join graph ordered by dynamic programming; greedy past that."""
    buckets_per_task: int = 4
    """Buckets of a hash edge for each consumer task."""


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """How the exchange store of a node keeps and moves batches."""

    mode: str = "get"
    """Who moves batches between workers: `get` (readers take them) or `put` (writers bring them)."""
    memory: int | None = None
    """Bytes of the budget that channels may hold in memory; past it they spill. None: half of the budget."""
    disk: int | None = None
    """Bytes that may be spilled; past it the job fails. None: half of what is free on the disk at start; 0: no spilling."""
    directory: str | None = None
    """Where spill files go. None: the system's folder for temporary files."""
    window: int = 8 * MIB
    """Bytes of one stream between two workers that may be under way: unread at the receiver, or not acknowledged."""


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """What the nodes of a mesh agree on; the driver's values count."""

    heartbeat_seconds: float = 0.5
    """How often a worker says that it is alive."""
    silent_seconds: float = 1.5
    """A worker silent for so long is probed: one where nobody listens any more is lost at once."""
    lost_seconds: float = 6.0
    """A worker silent for so long is lost."""
    running_jobs: int = 16
    """Jobs that run side by side; more of them wait in order."""
    queued_jobs: int = 1000
    """Jobs that may wait; more are refused."""
    result_seconds: float = 300.0
    """How long a result that nobody reads is kept."""
    session_seconds: float = 1800.0
    """How long a session stays without a call."""
    history: int = 200
    """Summaries of finished jobs that the driver keeps."""
    call_seconds: float = 20.0
    """The deadline of a call between nodes."""


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of an embedded session, and of a node."""

    threads: int = field(default_factory=available_cores)
    """Slots: tasks that compute at the same time."""
    partitions: int | None = None
    """Tasks of a partitioned stage; None: as many as threads."""
    memory: int | None = None
    """Budget in bytes for builds, groupings, sorts, channels, gathered results and created tables; None: 70 % of the memory."""
    morsel_rows: int = 131_072
    """Rows in one record batch on its way through a fragment."""
    dialect: str = "duckdb"
    """SQL dialect, any that sqlglot knows."""
    encode_messages: bool = False
    """Send every plan and message of the in-process transport through the wire codec (tests do)."""
    planner: PlannerConfig = field(default_factory=PlannerConfig)
    exchange: ExchangeConfig = field(default_factory=ExchangeConfig)
    mesh: MeshConfig = field(default_factory=MeshConfig)

    @property
    def tasks(self) -> int:
        """Tasks of a partitioned stage."""
        return self.partitions or self.threads


_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {
    "k": 1 << 10,
    "m": 1 << 20,
    "g": 1 << 30,
    "t": 1 << 40,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
}


def parse_size(text: str | int) -> int:
    """Bytes of `4GiB`, `500MB`, `2g` or a plain number; ValueError for anything else, and for nothing at all."""
    if isinstance(text, int):
        return text
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    unit = _UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ValueError(f"not a size: {text!r} (write for example 4GiB, 500MB or a number of bytes)")
    return int(float(found[1]) * unit) if "." in found[1] else int(found[1]) * unit

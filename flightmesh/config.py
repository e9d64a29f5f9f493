"""The one configuration: frozen, parsed once, handed down. Sizes are bytes, times seconds.

`configs/embedded.yaml` is the annotated example. `load` (in `config_file`) validates a file against these fields.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

MIB = 1024 * 1024


def available_cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
class Config:
    """Settings of an embedded session."""

    threads: int = field(default_factory=available_cores)
    """Slots: tasks that compute at the same time."""
    partitions: int | None = None
    """Tasks of a partitioned stage; None: as many as threads."""
    memory: int | None = None
    """Budget in bytes for builds, groupings, sorts and channels; None: 70 % of the machine's memory."""
    morsel_rows: int = 131_072
    """Rows in one record batch on its way through a fragment."""
    dialect: str = "duckdb"
    """SQL dialect, any that sqlglot knows."""
    encode_messages: bool = False
    """Send every plan and message of the in-process transport through the wire codec (tests do)."""
    planner: PlannerConfig = field(default_factory=PlannerConfig)

    @property
    def tasks(self) -> int:
        """Tasks of a partitioned stage."""
        return self.partitions or self.threads

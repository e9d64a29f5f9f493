"""What this machine has: memory, as the operating system or its container allows."""

from __future__ import annotations

import os

from flightmesh.cgroup import memory_limit as group_limit

SHARE = 0.7
_UNKNOWN = 4 * 1024**3


def machine_memory() -> int:
    """Bytes of memory that this process could use at most."""
    allowed = group_limit()
    sizes = [] if allowed is None else [allowed]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(sizes, default=_UNKNOWN)


def memory_limit() -> int:
    """The budget of a session that was given none, in bytes."""
    return int(machine_memory() * SHARE)

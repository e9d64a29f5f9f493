"""What this machine has: memory, as the operating system or its container allows."""

from __future__ import annotations

import os
from pathlib import Path

SHARE = 0.7
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_UNKNOWN = 4 * 1024**3


def machine_memory() -> int:
    """Bytes of memory that this process could use at most."""
    sizes = [limit for limit in (_cgroup_limit(path) for path in _CGROUP_LIMITS) if limit is not None]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(sizes, default=_UNKNOWN)


def memory_limit() -> int:
    """The budget of a session that was given none, in bytes."""
    return int(machine_memory() * SHARE)


def _cgroup_limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:  # no such file outside Linux containers
        return None
    return int(text) if text.isdigit() else None

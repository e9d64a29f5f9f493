"""Gives memory that allocators keep for later back to the operating system, once a process has had nothing to do for a
while.

Handed, now and then, whether there is work; gives back twice after each time of work. What always holds: nothing is given
back while there is work, where the next morsel would have to ask for it again.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from functools import lru_cache

import pyarrow as pa

from flightmesh.catalog.unpacked_groups import give_back_memory as give_back_unpacked

AFTER_THREADS = (2.0, 20.0)
"""Seconds after the time at which idle threads end: what a thread's own heap keeps can be given back only then. On a busy
machine some end later: hence the second (a worker kept 250 MiB for ever where it came only once)."""


class IdleMemory:
    """Used by one thread. Idle threads of the process end after `idle_seconds`."""

    def __init__(self, idle_seconds: float, give_back: Callable[[], None] | None = None) -> None:
        self._after = tuple(idle_seconds + more for more in AFTER_THREADS)
        self._give_back = give_back or give_back_memory
        self._idle_since: float | None = None
        self._owed: tuple[float, ...] = ()

    def look(self, jobs: int, now: float) -> None:
        """Says how many jobs have something here at `now` (seconds of any steady clock)."""
        if jobs:
            self._owed = self._after
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        elif self._owed and now - self._idle_since >= self._owed[0]:
            self._owed = self._owed[1:]
            self._give_back()

    def due(self, now: float) -> float | None:
        """Seconds until a look gives something back, if no work comes; None where nothing is owed."""
        if self._idle_since is None or not self._owed:
            return None
        return max(0.0, self._idle_since + self._owed[0] - now)


def give_back_memory() -> None:
    """Empties what readers of files, Arrow's pool and the C library keep for later."""
    give_back_unpacked()
    pa.default_memory_pool().release_unused()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's malloc_trim; other C libraries have none."""
    name = ctypes.util.find_library("c")
    try:
        return ctypes.CDLL(name).malloc_trim if name else None
    except (OSError, AttributeError):
        return None

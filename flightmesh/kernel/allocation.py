"""Keeps memory that numpy frees inside the process, so that the next morsel's temporaries find it.

glibc gives freed memory at the top of the heap back to the system, and asks again for the next array: then every temporary of
a megabyte pays 256 page faults, which costs more than the arithmetic on it (measured: hashing strings 40 ns a row, and 7
without). Arrow has its own pool, which is told as much by an environment variable (`flightmesh/__init__.py`). A process that
sets glibc's own variables keeps its choice; other C libraries have no such setting and need none.
"""

from __future__ import annotations

import ctypes
import functools
import os

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_KEEP = 256 << 20
_HEAP_BELOW = 32 << 20
_CHOSEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@functools.cache
def keep_freed_memory() -> bool:
    """Sets glibc to keep up to 256 MiB of freed memory an arena, and to serve arrays below 32 MiB from it; once a process.

    Says whether it could: False where the environment already chose, or the C library is another.
    """
    if any(name in os.environ for name in _CHOSEN):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None:
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, _KEEP)) and bool(mallopt(_M_MMAP_THRESHOLD, _HEAP_BELOW))

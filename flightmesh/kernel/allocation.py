"""One heap for Arrow and numpy, which keeps what is freed so that the next morsel's temporaries find it.

glibc gives freed memory at the top of the heap back to the system, and asks again for the next array: then every temporary of
a megabyte pays 256 page faults, which costs more than the arithmetic on it (measured: hashing strings 40 ns a row, and 7
without). And it makes an arena for every thread, up to eight a core, each of which keeps what its own thread has freed; a query
has many threads, of which only as many compute at a time as there are slots. Arrow draws from the same heap
(`flightmesh/__init__.py`): in a pool of its own it would keep as much again. A process that sets glibc's own variables keeps
its choice; other C libraries have no such settings and need none.
"""

from __future__ import annotations

import ctypes
import functools
import os

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_KEEP = 256 << 20
_HEAP_BELOW = 32 << 20
_KEEPING = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
_ARENAS = ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES")


@functools.cache
def keep_freed_memory(arenas: int) -> bool:
    """Sets glibc to have at most so many arenas, to keep up to 256 MiB of freed memory in each, and to serve arrays below
    32 MiB from them. The number of arenas can be set once a process, before most of its threads have begun.

    Says whether memory is kept: False where the environment already chose, or the C library is another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None:
        return False
    if not any(name in os.environ for name in _ARENAS):
        mallopt(_M_ARENA_MAX, arenas)
    if any(name in os.environ for name in _KEEPING):
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, _KEEP)) and bool(mallopt(_M_MMAP_THRESHOLD, _HEAP_BELOW))

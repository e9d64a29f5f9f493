"""flightmesh: a query engine on Apache Arrow.

`flightmesh.connect()` opens a session in the calling process, `flightmesh.connect("grpc://host:port")` one at a mesh. What
is named here is loaded on first use, so that `import flightmesh` alone costs next to nothing (the command line's help must
not wait for pyarrow).
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flightmesh.config import Config as Config
    from flightmesh.errors import FlightmeshError as FlightmeshError
    from flightmesh.session import Result as Result
    from flightmesh.session import Session as Session
    from flightmesh.session import connect as connect
    from flightmesh.session.remote import RemoteSession as RemoteSession

__version__ = "0.1.0"


def _has_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, ValueError, OSError):
        return False


if "pyarrow" not in sys.modules:
    # Arrow reads these when it is loaded. With glibc it draws from the one heap that numpy draws from, too: what either frees
    # serves the other, so there is half as much to keep (`kernel/allocation.py`, docs/performance.md). Elsewhere it has its own
    # allocator, which by default gives freed memory back within a tenth of a second and pays page faults for the next query's;
    # now, in milliseconds, as long as `Config.idle_seconds`.
    if _has_glibc():
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    os.environ.setdefault("MIMALLOC_PURGE_DELAY", "60000")

_HOMES = {
    "Config": "flightmesh.config",
    "FlightmeshError": "flightmesh.errors",
    "RemoteSession": "flightmesh.session.remote",
    "Result": "flightmesh.session",
    "Session": "flightmesh.session",
    "connect": "flightmesh.session",
}


@contextmanager
def _collector_paused() -> Iterator[None]:
    """What is imported stays: to look through it for garbage, over and over as it grows, took an eighth of the time."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'flightmesh' has no attribute {name!r}")
    with _collector_paused():
        return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*_HOMES, "__version__"])

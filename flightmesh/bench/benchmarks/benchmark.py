"""What a benchmark is: a value. A new one is a new value in `known.py`; nothing else in this room asks which one it runs.

Handed nothing; hands on the type, and a folder of data that is made once. What always holds: a folder of made data is whole, or
it is not there.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig


@dataclass(frozen=True, slots=True)
class Query:
    """A query in DuckDB's dialect, and what it is in a few words."""

    sql: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Queries and the data that they are asked of. Importing one is cheap: what makes data is imported when it is called."""

    name: str
    what: str
    scale: str
    """What scale 1 is."""
    make: Callable[[Path, str], None]
    """Fills an empty folder with `NAME.parquet` of each table at a scale. Raises InvalidConfig for what the machine lacks."""
    queries: Mapping[int, Query] = field(default_factory=dict)
    """By number; if there are none, they are those of DuckDB's extension of this name."""
    peers: bool = True
    """Whether other engines can run it, or only this one."""
    rounds: int = 3
    """How often each query is measured, where nobody says so: short ones need more."""
    own: str = "flightmesh.bench.own"
    """The module that runs it on this engine's sides."""
    is_throughput: bool = False
    """Whether rows and bytes a second are what it is about."""


def made_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """A folder that `fill` fills unless it is there. Raises InvalidConfig when there is no space for it."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as around:
        made = Path(around) / "data"
        made.mkdir()
        try:
            fill(made)
        except OSError as failure:
            if failure.errno != errno.ENOSPC:
                raise
            raise no_space(folder) from None
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was faster
                raise
    return folder


def no_space(folder: Path) -> InvalidConfig:
    """The error of a disk that is full."""
    return InvalidConfig(f"no space left in {folder.parent} for {folder.name}", hint="name another folder: --cache DIR")

"""What a driver asks of a worker about data that the worker sees: bodies of the actions look-up, served, statistics and
drop-table, which exist only on a worker's mesh listener (find-splits is among the node messages).

What always holds: a file that is answered for lies under the roots that the worker's owner allowed, or in what it serves; any
other raises NotAllowed.
"""

from __future__ import annotations

from flightmesh.catalog.table import ColumnStatistics, FileTable
from flightmesh.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class LookUp:
    """Asks for the table in `paths`: absolute paths, folders and globs, or all s3://. `options` are the format's, `storage`
    those of the object store."""

    name: str
    paths: tuple[str, ...]
    format: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    storage: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The answer: the table as this worker sees it, its files pinned by size and mtime."""

    table: FileTable


@dataclass(frozen=True, slots=True)
class AskServed:
    """Asks for the files that a worker serves of a table now. `known`: the digest of the answer that the driver has."""

    table: str
    known: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """The answer. `digest` tells these files, sizes and times from others; `table` is nil where it is the known one. Its paths
    are relative to what is served; columns of which it knows no type are null; without files it has no columns."""

    digest: str
    table: FileTable | None = None


@dataclass(frozen=True, slots=True)
class AskStatistics:
    """Asks for a table's statistics and those of some of its columns (none: only rows and bytes)."""

    table: FileTable
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedStatistics:
    """What is known of one column."""

    name: str
    column: ColumnStatistics


@dataclass(frozen=True, slots=True)
class Statistics:
    """The answer. `rows` None: only reading would tell."""

    rows: int | None
    bytes: int
    columns: tuple[NamedStatistics, ...] = ()


@dataclass(frozen=True, slots=True)
class DropPart:
    """Drops the rows that this worker holds of the table in memory under `key`. Harmless where there are none."""

    key: str

"""What a table is: where its rows are and what they look like. Values that cross the wire; nothing here opens a file.

`schema` is always the normalised one that the engine computes with: string, binary (not view or large), plain values instead of
dictionaries, decimal128, null columns typed int32, partition columns last. Readers cast to it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from typing import TypeAlias

import pyarrow as pa

from flightmesh.dataclass import dataclass


class Format(enum.Enum):
    """File formats that scans read."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"
    ARROW = "arrow"


@dataclass(frozen=True, slots=True)
class Storage:
    """Where files are: `local`, or `s3` with options such as ("endpoint_override", "http://...") for pyarrow.fs.

    The options may hold credentials, so no text of a plan or a log shows them.
    """

    scheme: str = "local"
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)


SERVED = Storage("served")
"""Where files are that nodes serve: each path is relative to what its holder serves, and means nothing elsewhere."""


class Copy(enum.Enum):
    """What the files are that a node serves of a table: a part, beside those of others, or all of it, as others have it too."""

    PART = "part"
    REPLICA = "replica"


@dataclass(frozen=True, slots=True)
class Holder:
    """A worker that serves files of a table: its id, what people call it, the URI of its mesh listener."""

    worker: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class File:
    """One file, pinned by size and mtime (0: by size alone); `partition` holds its hive values in the order of the table's
    partition columns; `holders` the workers that serve it, if it is one of those."""

    path: str
    size: int
    mtime_ns: int
    partition: tuple[pa.Scalar, ...] = ()
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileTable:
    """A table in files. `options` are the format's (CSV: delimiter, header, ...), as sorted pairs of strings.

    `source`: the paths, folders and globs that the files were found by, so that `open.refresh` can look again. `holders`: the
    workers that serve its files, of a table that nodes serve.
    """

    name: str
    format: Format
    storage: Storage
    files: tuple[File, ...]
    schema: pa.Schema
    partition_columns: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    source: tuple[str, ...] = ()
    holders: tuple[Holder, ...] = ()

    @property
    def is_served(self) -> bool:
        """Whether nodes serve it: its files are read at their holders."""
        return self.storage.scheme == SERVED.scheme


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """Rows of a table in memory that lie at worker `holder` (its mesh URI is `address`)."""

    holder: str
    address: str
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class MemoryTable:
    """A table in this process's memory, found by `key` in the `MemoryTables` of its owner; on a mesh, in `parts` at workers, in
    the `MemoryTables` of each under the same key."""

    name: str
    key: str
    schema: pa.Schema
    rows: int
    bytes: int
    parts: tuple[MemoryPart, ...] = ()


Table: TypeAlias = FileTable | MemoryTable


@dataclass(frozen=True, slots=True)
class FileSplit:
    """A share of a file, all of it if `pieces` is empty. Parquet: row groups; Arrow files: record batches; big CSV and JSON
    files: the first byte, the byte after the last, and the number of the first line. `holders`: the workers that serve the
    file; tasks there read it, others fetch its rows only where no task is at a holder."""

    file: int
    pieces: tuple[int, ...] = ()
    rows: int | None = None
    bytes: int = 0
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MemorySplit:
    """Rows `offset` up to `offset + rows` of a table in memory, or of the part of it at worker `holder`: tasks there are given
    it first, others fetch its rows from `address`."""

    offset: int
    rows: int
    bytes: int = 0
    holder: str | None = None
    address: str | None = None


Split: TypeAlias = FileSplit | MemorySplit


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """What is known of one column. None: not known. `distinct` is an estimate."""

    minimum: pa.Scalar | None = None
    maximum: pa.Scalar | None = None
    null_count: int | None = None
    distinct: int | None = None


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """What is known of a table; `rows` None where only reading would tell (CSV): then `bytes` gives the estimate."""

    rows: int | None
    bytes: int
    columns: Mapping[str, ColumnStatistics] = field(default_factory=dict)

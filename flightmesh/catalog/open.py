"""Opens a source as a table: finds its files, sees their format, reads their schemas, makes them one.

Handed a name and what a person wrote (path, folder, glob, list, s3:// URL); hands on a FileTable whose files are pinned by size
and mtime. What always holds: opening reads footers and samples, never whole files, and every failure is an InvalidInput with a
hint.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from flightmesh.catalog.formats import arrow, csv, json, parquet
from flightmesh.catalog.hive import Partitions, read_partitions
from flightmesh.catalog.listing import Found, find_files
from flightmesh.catalog.named_files import NamedFiles, Source, named_files
from flightmesh.catalog.normalise import Described, Mixture, unify_schemas
from flightmesh.catalog.storage import LOCAL, display
from flightmesh.catalog.table import File, FileTable, Format, Storage
from flightmesh.errors import InvalidInput

_EXTENSIONS = {
    ".parquet": Format.PARQUET,
    ".parq": Format.PARQUET,
    ".pq": Format.PARQUET,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".arrow": Format.ARROW,
    ".arrows": Format.ARROW,
    ".feather": Format.ARROW,
    ".ipc": Format.ARROW,
}
_COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
_TEXT = (Format.CSV, Format.JSON)
_LEAST_SAMPLE_BYTES = 65_536
_LOCAL = ("/", "./", "../", "~", "file://")
"""How a path begins that no store could hold."""
_HIVE = "hive_partitioning"
_OPTIONS_OF_ALL = frozenset({_HIVE, "union_by_name", "auto_detect"})
"""Options of DuckDB's readers that every format takes. Columns are always matched by name, and details always detected."""


def open_table(
    name: str,
    source: Source,
    *,
    format: Format | str | None = None,
    options: Mapping[str, str] | None = None,
    storage: Storage | None = None,
) -> FileTable:
    """The table in `source`. `format` is told by the extension unless given; `options` are the format's (CSV: delimiter, ...),
    and for all formats `hive_partitioning` (`false`: key=value folders are only folders).

    Raises InvalidInput for a source without files, of mixed or unknown formats, unreadable, or with schemas that do not fit.
    """
    return open_files(named_files(name, source, format, options, storage))


def open_files(named: NamedFiles) -> FileTable:
    """The table in files that somebody has named. Raises InvalidInput like `open_table`."""
    place, paths = _resolve(named)
    files = find_files(place, paths)
    kind = _format_of(place, files, named.format)
    given = {key.lower(): value for key, value in named.options}
    flat = given.get(_HIVE, "true").lower() == "false"
    names = [display(place, item.path) for item in files]
    partitions = Partitions((), tuple(() for _ in files)) if flat else read_partitions([item.path for item in files], names)
    kept = {key: value for key, value in given.items() if key not in _OPTIONS_OF_ALL}
    pinned = tuple(
        File(item.path, item.size, item.mtime_ns, values) for item, values in zip(files, partitions.values, strict=True)
    )
    table = FileTable(named.name, kind, place, pinned, pa.schema([]), (), tuple(sorted(kept.items())), tuple(paths))
    opened = _with_schema(table, partitions)
    return replace(opened, options=(*opened.options, (_HIVE, "false"))) if flat else opened


def refresh(table: FileTable) -> FileTable:
    """The table as its source is now: the same object while no file has come, gone or changed, else opened again.

    Raises InvalidInput like `open_table`.
    """
    if not table.source or is_unchanged(table):
        return table
    return open_files(NamedFiles(table.name, table.source, table.format.value, table.options, table.storage))


def reopen(table: FileTable, named: NamedFiles) -> FileTable:
    """What `open_files` gives, of files that were `table` before: the same object while they are."""
    place, paths = _resolve(named)
    if (place, tuple(paths)) == (table.storage, table.source) and is_unchanged(table):
        return table
    return open_files(named)


def is_unchanged(table: FileTable) -> bool:
    """Whether the table's source leads to its very files, with their sizes and times. Raises InvalidInput where a folder or
    glob leads to none."""
    if names_files(table):
        return all(_is_pinned(file) for file in table.files)
    now = [(item.path, item.size, item.mtime_ns) for item in find_files(table.storage, table.source)]
    return now == [(file.path, file.size, file.mtime_ns) for file in table.files]


def names_files(table: FileTable) -> bool:
    """Whether the source is the table's files themselves, on the local disk: a look at each tells all."""
    return table.storage == LOCAL and table.source == tuple(file.path for file in table.files)


def _is_pinned(file: File) -> bool:
    try:
        status = os.stat(file.path)  # noqa: PTH116 - making a Path takes as long, and every query looks
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns) and stat.S_ISREG(status.st_mode)


def untyped_columns(table: FileTable) -> frozenset[str]:
    """Columns of an opened table that have no type in any of its files: they have one for want of a better."""
    typed = {entry.name for schema in _describe(table) for entry in schema if not pa.types.is_null(entry.type)}
    return frozenset(table.schema.names) - typed - set(table.partition_columns)


def _resolve(named: NamedFiles) -> tuple[Storage, list[str]]:
    storage, texts = named.storage, list(named.paths)
    if not texts:
        raise InvalidInput("the list of paths is empty", hint="give at least one file, folder or glob")
    remote = [text.startswith(("s3://", "s3a://")) for text in texts]
    if any(remote) and not all(remote):
        raise InvalidInput("local paths and s3:// paths are mixed", hint="register them as two tables and use UNION ALL")
    if all(remote):
        options = storage.options if storage is not None else ()
        return Storage("s3", options), [text.partition("://")[2].strip("/") for text in texts]
    if storage is not None and storage.scheme != "local":
        local = next((text for text in texts if text.startswith(_LOCAL)), None)
        if local is not None:
            raise InvalidInput(
                f"storage is for s3:// paths, and {local} is local", hint="write s3://bucket/prefix, or leave storage out"
            )
        return storage, texts
    return LOCAL, [_local_path(text) for text in texts]


def _local_path(text: str) -> str:
    text = text.removeprefix("file://")
    scheme, found, _ = text.partition("://")
    if found and scheme.isalnum():
        raise InvalidInput(f"no storage is named {scheme!r}", hint="paths are local, or s3://bucket/prefix")
    # Path.resolve would follow links, and errors should name what was asked for.
    return os.path.abspath(Path(text).expanduser()) if text else ""  # noqa: PTH100


def _format_of(storage: Storage, files: Sequence[Found], asked: str | None) -> Format:
    if asked is not None:
        try:
            return Format(asked.lower())
        except ValueError:
            known = ", ".join(member.value for member in Format)
            raise InvalidInput(f"no format is named {asked!r}", hint=f"formats are {known}") from None
    first = files[0]
    kind = _format_by_name(storage, first)
    for item in files[1:]:
        other = _format_by_name(storage, item)
        if other is not kind:
            raise InvalidInput(
                f"{display(storage, first.path)} is {kind.value} but {display(storage, item.path)} is {other.value}",
                hint="a table has one format: use a glob such as *.parquet",
            )
    return kind


def _format_by_name(storage: Storage, item: Found) -> Format:
    path = Path(item.path)
    suffix = path.suffix.lower()
    if suffix in _COMPRESSED:
        suffix = Path(path.stem).suffix.lower()
    kind = _EXTENSIONS.get(suffix)
    if kind is None:
        known = ", ".join(_EXTENSIONS)
        raise InvalidInput(
            f"{display(storage, item.path)}: the name does not tell the format",
            hint=f"give format= (parquet, csv, json or arrow), or one of the extensions {known}",
        )
    return kind


def _with_schema(table: FileTable, partitions: Partitions) -> FileTable:
    if table.format is Format.CSV:
        table = replace(table, options=csv.resolve(table.storage, table.files[0], table.options))
    elif table.options:
        raise InvalidInput(
            f"{table.format.value} has no option {table.options[0][0]!r}",
            hint="only csv has options; what a file says of itself is used",
        )
    described = [
        Described(display(table.storage, file.path), schema) for file, schema in zip(table.files, _describe(table), strict=True)
    ]
    schema = unify_schemas(described, Mixture.STRING if table.format in _TEXT else Mixture.REFUSE)
    keys = [entry.name for entry in partitions.fields]
    # A key that the files repeat as a column is taken from the path, as every other reader of such folders does.
    own = [entry for entry in schema if entry.name not in keys]
    return replace(table, schema=pa.schema([*own, *partitions.fields]), partition_columns=tuple(keys))


def _describe(table: FileTable) -> list[pa.Schema]:
    place, files = table.storage, table.files
    match table.format:
        case Format.PARQUET:
            return [parquet.describe(place, file) for file in files]
        case Format.ARROW:
            return [arrow.describe(place, file) for file in files]
        case Format.CSV:
            return [csv.describe(place, file, table.options, _share(csv.SAMPLE_BYTES, len(files))) for file in files]
        case Format.JSON:
            return [json.describe(place, file, _share(json.SAMPLE_BYTES, len(files))) for file in files]


def _share(sample_bytes: int, files: int) -> int:
    """How much of each file is looked at: less of each when there are many."""
    return max(_LEAST_SAMPLE_BYTES, min(sample_bytes, 16 * sample_bytes // files))

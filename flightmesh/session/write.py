"""Writes a result to files, as a plan's `write` asks.

Handed a result and a target; leaves files and hands on one row for each: its path and rows. What always holds: a file
appears under its name only when it is whole; a folder that is written to is emptied of earlier parts of the same format,
and of nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from flightmesh.catalog.table import Format
from flightmesh.errors import InvalidInput
from flightmesh.session.csv_lines import csv_header, csv_rows
from flightmesh.session.json_lines import json_rows
from flightmesh.session.result import Result

if TYPE_CHECKING:
    from flightmesh.frontend.yaml.plan import Target

PART_ROWS = 8_000_000
"""Rows after which a folder gets another file."""
PARTIAL = ".partial"


def write_files(result: Result, target: Target) -> pa.Table:
    """Runs `result` into `target`. Raises InvalidInput when a file cannot be written."""
    try:
        system, path = _place(target.path)
        written = (
            _write_folder(result, system, path, target.format)
            if target.path.endswith("/")
            else [(target.path, _write_file(result.schema, iter(result), system, path, target.format))]
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInput(f"cannot write {target.path}: {reason}", hint="check the path and its permissions") from None
    files, rows = [name for name, _ in written], [count for _, count in written]
    return pa.table({"file": pa.array(files, pa.string()), "rows": pa.array(rows, pa.int64())})


def _place(path: str) -> tuple[pafs.FileSystem, str]:
    if "://" in path:
        found, inner = pafs.FileSystem.from_uri(path)
        return found, inner
    return pafs.LocalFileSystem(), path


def _write_folder(result: Result, system: pafs.FileSystem, path: str, format: Format) -> list[tuple[str, int]]:
    folder = path.rstrip("/")
    system.create_dir(folder, recursive=True)
    batches = iter(result)
    written: list[tuple[str, int]] = []
    for number in itertools.count():
        name = f"{folder}/part-{number:05}.{format.value}"
        part, more = _part(batches)
        if number and not more:
            break
        written.append((name, _write_file(result.schema, part, system, name, format)))
    _remove_others(system, folder, format, {name for name, _ in written})
    return written


def _part(batches: Iterator[pa.RecordBatch]) -> tuple[Iterator[pa.RecordBatch], bool]:
    """The batches of the next file, and whether there are any."""
    first = next(batches, None)
    if first is None:
        return iter(()), False

    def part() -> Iterator[pa.RecordBatch]:
        rows = first.num_rows
        yield first
        while rows < PART_ROWS and (batch := next(batches, None)) is not None:
            rows += batch.num_rows
            yield batch

    return part(), True


def _remove_others(system: pafs.FileSystem, folder: str, format: Format, kept: set[str]) -> None:
    """Removes parts of an earlier writing that had more of them."""
    for info in system.get_file_info(pafs.FileSelector(folder)):
        is_part = info.base_name.startswith("part-") and info.extension == format.value
        if info.type is pafs.FileType.File and is_part and f"{folder}/{info.base_name}" not in kept:
            system.delete_file(info.path)


def _write_file(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], system: pafs.FileSystem, path: str, format: Format
) -> int:
    """Writes one whole file; its rows."""
    parent = path.rpartition("/")[0]
    if parent and isinstance(system, pafs.LocalFileSystem):
        system.create_dir(parent, recursive=True)
    rows = 0
    with _whole_file(system, path) as stream, _WRITERS[format](stream, schema) as write:
        for batch in batches:
            write(batch)
            rows += batch.num_rows
    return rows


@contextmanager
def _whole_file(system: pafs.FileSystem, path: str) -> Iterator[pa.NativeFile]:
    """A stream whose content takes the name `path` when the block ends well, and is removed when it does not."""
    partial = path + PARTIAL
    try:
        with system.open_output_stream(partial) as stream:
            yield stream
        system.move(partial, path)
    except BaseException:
        if system.get_file_info(partial).type is not pafs.FileType.NotFound:
            system.delete_file(partial)
        raise


@contextmanager
def _parquet(stream: Any, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], object]]:
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        yield writer.write_batch


@contextmanager
def _arrow(stream: Any, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], object]]:
    with pa.ipc.new_file(stream, schema) as writer:
        yield writer.write_batch


@contextmanager
def _csv(stream: Any, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], object]]:
    stream.write(csv_header(schema.names))
    yield lambda batch: stream.write(csv_rows(batch))


@contextmanager
def _json(stream: Any, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], object]]:
    yield lambda batch: stream.write(json_rows(batch))


_WRITERS = {Format.PARQUET: _parquet, Format.ARROW: _arrow, Format.CSV: _csv, Format.JSON: _json}

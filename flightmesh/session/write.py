"""Writes a result to files, as a plan's `write` asks.

Handed a result and a target; leaves files and hands on one row for each: its path and rows. What always holds: files appear
under their names only when all of them are whole, so a failure leaves what was there; a folder that is written to is then
emptied of earlier parts of the same format, and of nothing else; a pipe is written into, never replaced.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from flightmesh.catalog.table import Format
from flightmesh.driver.record import JobRecord, Progress
from flightmesh.errors import InvalidInput
from flightmesh.session.csv_lines import csv_header, csv_rows
from flightmesh.session.json_lines import json_rows
from flightmesh.session.result import Result
from flightmesh.session.whole_file import is_stream, keep_mode, replaceable

if TYPE_CHECKING:
    from flightmesh.frontend.yaml.plan import Target

Writer: TypeAlias = AbstractContextManager[Callable[[pa.RecordBatch], object]]
"""Opens a file of one format; takes its batches."""
PART_ROWS = 8_000_000
"""Rows after which a folder gets another file."""
FILES = pa.schema([("file", pa.string()), ("rows", pa.int64())])
"""What is told of files that were written."""
_PARTIAL = re.compile(r"\.flightmesh-[0-9a-f]{16}\.partial")


class WrittenFiles(Result):
    """The files of a plan's `write`, one a row: written when they are first asked for, once."""

    def __init__(self, rows: Result, target: Target) -> None:
        super().__init__(FILES, None)
        self._rows = rows
        self._target = target

    def to_arrow(self) -> pa.Table:
        """Writes the files, unless that is done, and names them."""
        with self._lock:
            if self._table is None:
                self._table = write_files(self._rows, self._target)
            return self._table

    def progress(self) -> Progress:
        """How far the query is whose rows are written."""
        return self._rows.progress()

    def cancel(self) -> None:
        """Ends the query; files that are not whole vanish."""
        self._rows.cancel()

    @property
    def metrics(self) -> JobRecord | None:
        """What the query did whose rows were written."""
        return self._rows.metrics

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The files, when all are written."""
        return iter(self.to_arrow().to_batches())


def write_files(result: Result, target: Target) -> pa.Table:
    """Runs `result` into `target`. Raises InvalidInput when a file cannot be written."""
    try:
        system, path = _place(target.path)
        written = (
            _write_folder(result, system, path, target.format)
            if target.path.endswith("/")
            else [(target.path, _write_file(result, system, path, target.format))]
        )
    except OSError as error:
        raise InvalidInput(f"cannot write {target.path}: {_reason(error)}", hint="check the path and its permissions") from None
    files, rows = [name for name, _ in written], [count for _, count in written]
    return pa.table([files, rows], schema=FILES)


def _reason(error: OSError) -> str:
    """What the system says, without the name that a file has until it is whole."""
    reason = error.strerror or str(error)
    if not _PARTIAL.search(reason):
        return reason
    return os.strerror(error.errno) if error.errno else _PARTIAL.sub("a file", reason)


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
    with _new_files(system) as files:
        for number in itertools.count():
            name = f"part-{number:05}.{format.value}"
            part, more = _part(batches)
            if number and not more:
                break
            with files.open(f"{folder}/{name}") as stream:
                written.append((f"{folder}/{name}", _write_rows(part, _WRITERS[format](stream, result.schema))))
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
    ours = re.compile(rf"part-[0-9]{{5}}\.{re.escape(format.value)}")
    for info in system.get_file_info(pafs.FileSelector(folder)):
        is_part = info.type is pafs.FileType.File and ours.fullmatch(info.base_name)
        if is_part and f"{folder}/{info.base_name}" not in kept:
            system.delete_file(info.path)


def _write_file(result: Result, system: pafs.FileSystem, path: str, format: Format) -> int:
    """Writes one whole file, or into the pipe at its place; its rows."""
    if isinstance(system, pafs.LocalFileSystem):
        if is_stream(path):
            return _write_pipe(result, Path(path), format)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    with _new_files(system) as files, files.open(path) as stream:
        return _write_rows(iter(result), _WRITERS[format](stream, result.schema))


def _write_pipe(result: Result, path: Path, format: Format) -> int:
    if format is Format.PARQUET:
        hint = "write a file or a folder, or another format"
        raise InvalidInput(f"cannot write {path}: it is a pipe or a device, and a Parquet file cannot be streamed", hint=hint)
    writer = _arrow_stream if format is Format.ARROW else _WRITERS[format]
    with path.open("wb") as stream:
        return _write_rows(iter(result), writer(stream, result.schema))


def _write_rows(batches: Iterator[pa.RecordBatch], writer: Writer) -> int:
    rows = 0
    with writer as write:
        for batch in batches:
            write(batch)
            rows += batch.num_rows
    return rows


class _NewFiles:
    """Files under names that nothing else has, each beside the place that it will take."""

    def __init__(self, system: pafs.FileSystem) -> None:
        self._system = system
        self._places: dict[str, str] = {}

    @contextmanager
    def open(self, path: str) -> Iterator[pa.NativeFile]:
        """A stream whose content is to be the file at `path`, or the one that a link there leads to."""
        if isinstance(self._system, pafs.LocalFileSystem):
            path = str(replaceable(path))
        folder, slash, _ = path.rpartition("/")
        partial = f"{folder}{slash}.flightmesh-{secrets.token_hex(8)}.partial"
        self._places[partial] = path
        with self._system.open_output_stream(partial) as stream:
            yield stream

    def take_places(self) -> None:
        """Gives every file its name."""
        for partial, path in self._places.items():
            if isinstance(self._system, pafs.LocalFileSystem):
                keep_mode(Path(path), Path(partial))
            self._system.move(partial, path)

    def remove(self) -> None:
        """Removes the files that have not got their names."""
        for partial in self._places:
            if self._system.get_file_info(partial).type is not pafs.FileType.NotFound:
                self._system.delete_file(partial)


@contextmanager
def _new_files(system: pafs.FileSystem) -> Iterator[_NewFiles]:
    """Files that take their names when the block ends well, and vanish when it does not."""
    files = _NewFiles(system)
    try:
        yield files
        files.take_places()
    except BaseException:
        files.remove()
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
def _arrow_stream(stream: Any, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], object]]:
    """The form that can be read from a pipe as it comes."""
    with pa.ipc.new_stream(stream, schema) as writer:
        yield writer.write_batch


@contextmanager
def _csv(stream: Any, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], object]]:
    stream.write(csv_header(schema.names))
    yield lambda batch: stream.write(csv_rows(batch))


@contextmanager
def _json(stream: Any, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], object]]:
    yield lambda batch: stream.write(json_rows(batch))


_WRITERS = {Format.PARQUET: _parquet, Format.ARROW: _arrow, Format.CSV: _csv, Format.JSON: _json}

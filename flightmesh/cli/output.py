"""Where the rows of a result go: drawn as a table, as text lines, or as Arrow and Parquet.

Handed a result, a format and perhaps a file; leaves the rows there. What always holds: a file appears when it is whole, so a
failure leaves nothing half-written; a pipe at the file's place is written into; rows stream, one batch at a time.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import typer

from flightmesh.cli.options import OutputFormat
from flightmesh.cli.progress import Progress
from flightmesh.dataclass import dataclass

if TYPE_CHECKING:
    import pyarrow as pa

    from flightmesh.session import Result

_ENDINGS = {
    ".csv": OutputFormat.CSV,
    ".json": OutputFormat.JSON,
    ".jsonl": OutputFormat.JSON,
    ".ndjson": OutputFormat.JSON,
    ".arrow": OutputFormat.ARROW,
    ".feather": OutputFormat.ARROW,
    ".ipc": OutputFormat.ARROW,
    ".parquet": OutputFormat.PARQUET,
    ".txt": OutputFormat.TABLE,
}
_BINARY = (OutputFormat.ARROW, OutputFormat.PARQUET)
_ROWS_ON_A_TERMINAL = 40


@dataclass(frozen=True, slots=True)
class Target:
    """A format, the file (None: stdout), and how many rows of a table are shown (0: all)."""

    format: OutputFormat
    path: Path | None
    max_rows: int


def choose_target(format: OutputFormat | None, path: Path | None, max_rows: int | None) -> Target:
    """Completes what the command line left open; refuses what cannot be done before any work is."""
    if path is not None:
        path = _checked_path(path)
        format = format or _ENDINGS.get(path.suffix.lower())
        if format is None:
            known = ", ".join(_ENDINGS)
            raise typer.BadParameter(
                f"the ending of {path.name!r} tells no format ({known}); add --format", param_hint="--output"
            )
    format = format or OutputFormat.TABLE
    if format in _BINARY and path is None and sys.stdout.isatty():
        raise typer.BadParameter(f"{format} is binary, and stdout is a terminal: add -o FILE", param_hint="--format")
    if format is OutputFormat.PARQUET and path is not None and _is_pipe(path):
        reason = f"{str(path)!r} is a pipe or a device, and a Parquet file cannot be streamed: take arrow, csv or json"
        raise typer.BadParameter(reason, param_hint="--output")
    default = _ROWS_ON_A_TERMINAL if path is None and sys.stdout.isatty() else 0
    return Target(format, path, default if max_rows is None else max_rows)


def write_result(result: Result, target: Target) -> None:
    """Writes all rows of `result` to `target`, with a progress bar on stderr if it takes long."""
    with Progress(result) as progress:
        try:
            if target.path is None:
                _write(result, target, sys.stdout.buffer, progress)
                sys.stdout.buffer.flush()
            else:
                from flightmesh.session.whole_file import opened

                with opened(target.path) as stream:
                    _write(result, target, stream, progress)
        except BaseException:
            result.cancel()
            raise
    if target.path is not None and sys.stderr.isatty():
        print(f"wrote {target.path}", file=sys.stderr)


def write_lines(result: Result) -> None:
    """Prints the texts of the only column as they are, as for a plan."""
    for batch in result:
        print("\n".join(batch.column(0).to_pylist()))


def _write(result: Result, target: Target, stream: IO[bytes], progress: Progress) -> None:
    writer = {
        OutputFormat.TABLE: _write_table,
        OutputFormat.CSV: _write_csv,
        OutputFormat.JSON: _write_json,
        OutputFormat.ARROW: _write_arrow,
        OutputFormat.PARQUET: _write_parquet,
    }[target.format]
    writer(result, target, stream, progress)


def _batches(result: Result, target: Target, progress: Progress) -> Iterator[pa.RecordBatch]:
    """The rows as they come. The bar makes way for the first of them if both go to the terminal."""
    shared = target.path is None and sys.stdout.isatty()
    for batch in result:
        if shared:
            progress.stop()
        yield batch


def _write_table(result: Result, target: Target, stream: IO[bytes], progress: Progress) -> None:
    from flightmesh.session.render import Style, preview, render_preview

    shown = preview(result.schema, result, target.max_rows)
    progress.stop()
    terminal = target.path is None and sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    style = Style.ANSI if terminal and not os.environ.get("NO_COLOR") else Style.PLAIN
    stream.write(render_preview(shown, width=width, style=style).encode() + b"\n")


def _write_csv(result: Result, target: Target, stream: IO[bytes], progress: Progress) -> None:
    from flightmesh.session.csv_lines import csv_header, csv_rows

    _write_lines(result, target, stream, progress, csv_header(result.schema.names), csv_rows)


def _write_json(result: Result, target: Target, stream: IO[bytes], progress: Progress) -> None:
    from flightmesh.session.json_lines import json_rows

    _write_lines(result, target, stream, progress, b"", json_rows)


def _write_lines(
    result: Result,
    target: Target,
    stream: IO[bytes],
    progress: Progress,
    header: bytes,
    rows: Callable[[pa.RecordBatch], bytes],
) -> None:
    written = False
    for batch in _batches(result, target, progress):
        stream.write(rows(batch) if written else header + rows(batch))
        written = True
    if not written:
        stream.write(header)


def _write_arrow(result: Result, target: Target, stream: IO[bytes], progress: Progress) -> None:
    import pyarrow as pa

    # A stream can be read from a pipe as it comes; a file can be mapped.
    make = pa.ipc.new_stream if target.path is None or _is_pipe(target.path) else pa.ipc.new_file
    with make(stream, result.schema) as writer:
        for batch in _batches(result, target, progress):
            writer.write_batch(batch)


def _write_parquet(result: Result, target: Target, stream: IO[bytes], progress: Progress) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(stream, result.schema, compression="zstd") as writer:
        for batch in _batches(result, target, progress):
            writer.write_batch(batch)


def _checked_path(path: Path) -> Path:
    folder = Path(os.path.realpath(path)).parent
    if path.is_dir():
        raise typer.BadParameter(f"{str(path)!r} is a folder", param_hint="--output")
    if not (folder.is_dir() or path.exists()):
        shown = folder if path.is_symlink() else path.parent
        raise typer.BadParameter(f"there is no folder {str(shown)!r}", param_hint="--output")
    return path


def _is_pipe(path: Path) -> bool:
    """Whether a pipe, a device or a socket is there: rows go into it as they come."""
    from flightmesh.session.whole_file import is_stream

    return is_stream(path)

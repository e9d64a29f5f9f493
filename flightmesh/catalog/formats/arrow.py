"""Arrow IPC: the file format (and Feather 2), and the stream format.

Handed pinned files; hands on schemas as stored, splits of record batches (of a stream: the whole file), and batches of a
table's types. What always holds: only the asked columns are decoded, on the calling thread.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.ipc as ipc

from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.normalise import conform
from flightmesh.catalog.storage import DAMAGE, check_pinned, display, map_file
from flightmesh.catalog.table import File, FileSplit, FileTable, Storage
from flightmesh.errors import DataError, InvalidInput

_MAGIC = b"ARROW1"
_BATCHED_ROWS = 131_072
_KEPT = 1024
_rows: OrderedDict[tuple[Storage, str, int, int], tuple[int, ...] | None] = OrderedDict()
_lock = threading.Lock()


def describe(storage: Storage, file: File) -> pa.Schema:
    """The schema as stored in the file."""
    with map_file(storage, file) as source:
        return _reader(storage, file, source, None).schema


def _reader(
    storage: Storage, file: File, source: pa.NativeFile, fields: list[int] | None
) -> ipc.RecordBatchFileReader | ipc.RecordBatchStreamReader:
    """The reader that fits what the file is, whatever its extension says. Raises InvalidInput for neither."""
    name = display(storage, file.path)
    options = (
        ipc.IpcReadOptions(use_threads=False)
        if fields is None
        else ipc.IpcReadOptions(use_threads=False, included_fields=fields)
    )
    if file.size == 0:
        raise InvalidInput(f"{name} is not an Arrow file: it is empty", hint="was its writer interrupted?")
    head = source.read(len(_MAGIC))
    source.seek(0)
    try:
        if head == _MAGIC:
            return ipc.open_file(source, options=options)
        return ipc.open_stream(source, options=options)
    except DAMAGE as error:
        if head == _MAGIC:
            raise InvalidInput(f"{name} is a truncated Arrow file: {error}", hint="write or copy it again") from None
        raise InvalidInput(f"{name} is not an Arrow file: {error}", hint="if it has another format, give format=") from None


def batch_rows(storage: Storage, file: File) -> tuple[int, ...] | None:
    """The rows of each record batch of a file; None for a stream, where only reading would tell."""
    key = (storage, file.path, file.size, file.mtime_ns)
    with _lock:
        if key in _rows:
            return _rows[key]
    found = _count(storage, file)
    with _lock:
        _rows[key] = found
        while len(_rows) > _KEPT:
            _rows.popitem(last=False)
    return found


def _count(storage: Storage, file: File) -> tuple[int, ...] | None:
    with map_file(storage, file) as source:
        reader = _reader(storage, file, source, None)
        if isinstance(reader, ipc.RecordBatchStreamReader):
            return None
        narrow = _narrowest(reader.schema)
        source.seek(0)
        reader = _reader(storage, file, source, [narrow] if reader.schema.names else None)
        if isinstance(reader, ipc.RecordBatchStreamReader):
            return None
        try:
            return tuple(reader.get_batch(number).num_rows for number in range(reader.num_record_batches))
        except DAMAGE as error:
            raise InvalidInput(
                f"{display(storage, file.path)} is a damaged Arrow file: {error}", hint="write it again"
            ) from None


def _narrowest(schema: pa.Schema) -> int:
    """The column that is cheapest to decode."""

    def width(number: int) -> int:
        try:
            return int(schema.types[number].bit_width)
        except ValueError:
            return 1_000_000

    return min(range(len(schema.names)), key=width, default=0)


def splits(table: FileTable, number: int) -> Iterator[FileSplit]:
    """The splits of one file of the table: neighbouring record batches together."""
    file = table.files[number]
    counts = batch_rows(table.storage, file)
    if counts is None:
        yield FileSplit(number, (), None, file.size)
        return
    total = max(1, sum(counts))
    pieces: list[int] = []
    rows = 0
    for piece, count in enumerate(counts):
        if pieces and rows + count > _BATCHED_ROWS:
            yield FileSplit(number, tuple(pieces), rows, file.size * rows // total)
            pieces, rows = [], 0
        if count:
            pieces.append(piece)
            rows += count
    if pieces:
        yield FileSplit(number, tuple(pieces), rows, file.size * rows // total)


def read(
    table: FileTable,
    split: FileSplit,
    columns: Sequence[str],
    *,
    morsel_rows: int,
    check: Callable[[], None],
    metrics: ReadMetrics,
) -> Iterator[pa.RecordBatch]:
    """The rows of a split, as batches of at most `morsel_rows` rows with `columns`; without columns, of the narrowest one."""
    file = table.files[split.file]
    name = display(table.storage, file.path)
    wanted = pa.schema([table.schema.field(column) for column in columns])
    try:
        with map_file(table.storage, file) as source:
            schema = _reader(table.storage, file, source, None).schema
            source.seek(0)
            present = [schema.get_field_index(column) for column in columns if column in schema.names]
            reader = _reader(table.storage, file, source, present or [_narrowest(schema)])
            metrics.columns.update(schema.names[index] for index in present)
            for stored in _batches(reader, split):
                check()
                metrics.bytes += stored.nbytes
                for offset in range(0, stored.num_rows, morsel_rows):
                    batch = stored.slice(offset, morsel_rows)
                    yield conform(batch, wanted) if columns else batch
    except DataError as error:
        raise InvalidInput(f"{name}: {error.message}", hint=error.hint) from None
    except DAMAGE as error:
        check_pinned(table.storage, file)
        raise InvalidInput(f"{name} is a damaged Arrow file: {error}", hint="write or copy it again") from None


def _batches(reader: ipc.RecordBatchFileReader | ipc.RecordBatchStreamReader, split: FileSplit) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, ipc.RecordBatchStreamReader):
        yield from reader
        return
    for piece in split.pieces:
        yield reader.get_batch(piece)

"""Parquet: schema and footers, splits by row group, reading a split.

Handed pinned files; hands on schemas as stored, splits pruned by the footers' statistics, and batches of a table's types. What
always holds: footers are read once and kept (bounded) by path, size and mtime; a thread opens a file once (bounded); reading
never touches Arrow's IO or CPU pools, so a blocked pool cannot starve it.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from flightmesh.catalog.column_cache import ColumnCache, ColumnKey
from flightmesh.catalog.distinct import Sample
from flightmesh.catalog.footers import Footer, stated_nulls
from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.normalise import Conforming, Form, cast_array, conform, normalise_type
from flightmesh.catalog.pages import HEADER_BYTES, encoded_values, read_dictionary_header
from flightmesh.catalog.partitions import partition_may_match, partition_values
from flightmesh.catalog.pruning import NULLS, Range, may_match
from flightmesh.catalog.storage import DAMAGE, check_pinned, display, open_file
from flightmesh.catalog.table import File, FileSplit, FileTable, Storage
from flightmesh.catalog.unpacked_groups import unpacked_group
from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.errors import DataError, InvalidInput
from flightmesh.expression.nodes import Expression
from flightmesh.ids import ColumnId

_Identity: TypeAlias = tuple[Storage, str, int, int]
_BATCHED_ROWS = 131_072
"""Small row groups are read together, up to so many rows; evenly, so that tasks can share a table of a few of them."""
_FEW_ROWS = 16_384
"""The same where what has been read may tell that the next ones need not be."""
_FOOTERS_KEPT = 4096
_READERS_KEPT = 16
_LOCAL_SAMPLES = 4
_SAMPLE_ROWS = 16_384
_footers: OrderedDict[_Identity, Footer] = OrderedDict()
_footers_lock = threading.Lock()


@dataclass(slots=True)
class _OpenFile:
    """A file that a thread has open, and how its batches got the types of a table when they were last read."""

    source: pa.NativeFile
    reader: pq.ParquetFile
    decimals: Mapping[str, pa.DataType]
    """Columns that it gives as integers, and the decimals of which these are the unscaled values."""
    conforming: Conforming | None = None

    def conforming_to(self, wanted: pa.Schema, form: Form) -> Conforming:
        """What gives batches of it the types of `wanted`: a scan reads split after split in the same way."""
        if self.conforming is None or not self.conforming.makes(wanted, form):
            self.conforming = Conforming(wanted, form, self.decimals)
        return self.conforming


class _Readers(threading.local):
    """The files that a thread has open, least recently used first."""

    def __init__(self) -> None:
        self.open: OrderedDict[_Identity, _OpenFile] = OrderedDict()


_readers = _Readers()


def _identity(storage: Storage, file: File) -> _Identity:
    return storage, file.path, file.size, file.mtime_ns


def footer(storage: Storage, file: File) -> Footer:
    """The file's footer, from memory when it has been read before. Raises InvalidInput for what is not a whole Parquet file."""
    key = _identity(storage, file)
    with _footers_lock:
        found = _footers.get(key)
        if found is not None:
            _footers.move_to_end(key)
            return found
    _, reader = _open(storage, file)
    found = Footer(reader.metadata, reader.schema_arrow)
    with _footers_lock:
        _footers[key] = found
        while len(_footers) > _FOOTERS_KEPT:
            _footers.popitem(last=False)
    return found


def describe(storage: Storage, file: File) -> pa.Schema:
    """The Arrow schema as stored in the file."""
    return footer(storage, file).schema


def _open(storage: Storage, file: File, known: Footer | None = None) -> tuple[pa.NativeFile, pq.ParquetFile]:
    name = display(storage, file.path)
    if file.size < 12:
        raise InvalidInput(f"{name} is not a Parquet file: it has {file.size} bytes", hint="was its writer interrupted?")
    source = open_file(storage, file)
    try:
        if known is None:
            return source, pq.ParquetFile(source, pre_buffer=False)
        # Texts that repeat decode more than twice as fast as dictionaries, even though each batch is then made plain.
        repetitive = list(known.repetitive_columns())
        return source, pq.ParquetFile(source, metadata=known.with_integers, read_dictionary=repetitive, pre_buffer=False)
    except DAMAGE as error:
        problem = _diagnose(source, file, error)
        source.close()
        raise InvalidInput(f"{name} {problem[0]}", hint=problem[1]) from None


def _diagnose(source: pa.NativeFile, file: File, error: Exception) -> tuple[str, str]:
    source.seek(0)
    head = source.read(4)
    source.seek(file.size - 4)
    tail = source.read(4)
    if head != b"PAR1":
        return "is not a Parquet file", "if it has another format, give format= (csv, json or arrow)"
    if tail not in (b"PAR1", b"PARE"):
        return "is a truncated Parquet file: its footer is missing", "write or copy it again"
    return f"is a damaged Parquet file: {error}", "write or copy it again"


def splits(
    table: FileTable, filters: Sequence[Expression], names: dict[ColumnId, str], *, fine: bool = False
) -> tuple[FileSplit, ...]:
    """The row groups where all `filters` can be true: small neighbours of one file together, in order of the table's files.

    `names` says which column of the table each id of the filters is; `fine`: only very small ones together.
    """
    found: list[FileSplit] = []
    for number in range(len(table.files)):
        if partition_may_match(table, number, filters, names):
            found.extend(_file_splits(table, number, filters, names, _FEW_ROWS if fine else _BATCHED_ROWS))
    return tuple(found)


def _file_splits(
    table: FileTable, number: int, filters: Sequence[Expression], names: dict[ColumnId, str], most: int
) -> Iterator[FileSplit]:
    keys = partition_values(table, number)
    known = footer(table.storage, table.files[number])
    total = sum(known.rows)
    together = math.ceil(total / max(1, math.ceil(total / most)))
    pieces: list[int] = []
    rows = stored = 0
    for group in range(known.row_groups):
        group_rows, group_bytes = known.rows[group], known.bytes[group]
        if group_rows == 0 or not _group_may_match(table, known, group, filters, names, keys):
            continue
        if pieces and rows + group_rows > together:
            yield FileSplit(number, tuple(pieces), rows, stored)
            pieces, rows, stored = [], 0, 0
        pieces.append(group)
        rows += group_rows
        stored += group_bytes
    if pieces:
        yield FileSplit(number, tuple(pieces), rows, stored)


def _group_may_match(
    table: FileTable,
    known: Footer,
    group: int,
    filters: Sequence[Expression],
    names: dict[ColumnId, str],
    keys: dict[str, pa.Scalar],
) -> bool:
    def lookup(id: ColumnId) -> Range | None:
        name = names.get(id)
        if name is None:
            return None
        if name in keys:
            return Range.constant(keys[name])
        if not known.has(name):
            return NULLS
        return known.column(name, table.schema.field(name).type).ranges[group]

    return all(may_match(predicate, lookup) for predicate in filters)


def read(
    table: FileTable,
    split: FileSplit,
    columns: Sequence[str],
    *,
    morsel_rows: int,
    check: Callable[[], None],
    metrics: ReadMetrics,
    form: Form = Form.PLAIN,
    kept: ColumnCache | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of at most `morsel_rows` rows with `columns` (at least one, none of them a partition column). Columns that `kept`
    has are not read; the others are kept there."""
    file = table.files[split.file]
    known = footer(table.storage, file)
    present = [column for column in columns if known.has(column)]
    wanted = pa.schema([table.schema.field(column) for column in columns])
    part = _Part(table, split, morsel_rows, check, metrics, form)
    metrics.row_groups += len(split.pieces)
    if not present:
        check_pinned(table.storage, file)
        yield from _nulls(split, wanted, morsel_rows)
    elif kept is None or not file.mtime_ns:
        yield from _decoded(part, present, wanted)
    else:
        yield from _from_memory(part, present, wanted, kept)


@dataclass(frozen=True, slots=True)
class _Part:
    """What is read, and how."""

    table: FileTable
    split: FileSplit
    morsel_rows: int
    check: Callable[[], None]
    metrics: ReadMetrics
    form: Form

    @property
    def file(self) -> File:
        return self.table.files[self.split.file]

    def key(self, column: str) -> ColumnKey:
        """What a column of it is kept by."""
        file, kind = self.file, (self.table.schema.field(column).type, self.form.value)
        return ColumnKey(
            self.table.storage, file.path, file.size, file.mtime_ns, self.split.pieces, column, kind, self.morsel_rows
        )


def _from_memory(part: _Part, present: list[str], wanted: pa.Schema, kept: ColumnCache) -> Iterator[pa.RecordBatch]:
    """A split whose columns are kept or will be; read as a whole, since what is kept is whole columns of it."""
    check_pinned(part.table.storage, part.file)
    keys = {name: part.key(name) for name in present}
    held = {name: chunks for name, key in keys.items() if (chunks := kept.get(key)) is not None}
    part.metrics.kept_bytes += sum(chunk.nbytes for chunks in held.values() for chunk in chunks)
    missing = [name for name in present if name not in held]
    if missing:
        batches = list(_decoded(part, missing, pa.schema([wanted.field(name) for name in missing])))
        for number, name in enumerate(missing):
            held[name] = tuple(batch.column(number) for batch in batches)
            kept.put(keys[name], held[name])
    if not all(held.values()):
        return
    rows = pa.table({name: pa.chunked_array(held[name]) for name in present})
    is_whole = len(present) == len(wanted)  # what is kept has its type already; what the file lacks is NULL
    for batch in rows.to_batches(max_chunksize=part.morsel_rows):
        yield batch if is_whole else conform(batch, wanted, part.form)
        part.check()


def _decoded(part: _Part, present: list[str], wanted: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Batches of `wanted`, of whose columns the file has `present`."""
    storage, file, pieces = part.table.storage, part.file, part.split.pieces
    known = footer(storage, file)
    opened = _opened(storage, file)
    conforming = opened.conforming_to(wanted, part.form)
    part.metrics.bytes += sum(known.chunk_bytes(group, column) for group in pieces for column in present)
    part.metrics.columns.update(present)
    try:
        for batch in _stored_batches(part, opened, known, present):
            yield conforming.apply(batch)
            part.check()
    except DAMAGE as error:
        check_pinned(storage, file)
        raise _damaged(storage, file, error) from None
    except DataError as error:
        raise InvalidInput(f"{display(storage, file.path)}: {error.message}", hint=error.hint) from None


def _stored_batches(part: _Part, opened: _OpenFile, known: Footer, present: list[str]) -> Iterator[Any]:
    """Batches of the columns that a file has, as Arrow gives them."""
    pieces = part.split.pieces
    if len(pieces) > 1:
        yield from _iterated(opened.reader, part, pieces, present)
        return
    with unpacked_group(opened.source, known, pieces[0], present) as unpacked:
        reader, number = unpacked or (opened.reader, pieces[0])
        yield from _iterated(reader, part, (number,), present)


def _iterated(reader: pq.ParquetFile, part: _Part, groups: Sequence[int], present: list[str]) -> Iterator[Any]:
    batches: Iterator[Any] = reader.iter_batches(
        batch_size=part.morsel_rows, row_groups=list(groups), columns=present, use_threads=False
    )
    return batches


def _damaged(storage: Storage, file: File, error: Exception) -> InvalidInput:
    name = display(storage, file.path)
    return InvalidInput(f"{name} is a damaged Parquet file: {error}", hint="write or copy it again")


def _nulls(split: FileSplit, wanted: pa.Schema, morsel_rows: int) -> Iterator[pa.RecordBatch]:
    left = split.rows or 0
    while left > 0:
        count = min(left, morsel_rows)
        left -= count
        yield pa.RecordBatch.from_arrays([pa.nulls(count, entry.type) for entry in wanted], names=wanted.names)


def _opened(storage: Storage, file: File) -> _OpenFile:
    key = _identity(storage, file)
    opened = _readers.open.pop(key, None)
    if opened is None:
        known = footer(storage, file)
        source, reader = _open(storage, file, known)
        opened = _OpenFile(source, reader, known.short_decimals)
    elif storage.scheme == "local":
        # A stat is cheap on a local disk; on S3 the object that is open is the one that was pinned.
        check_pinned(storage, file)
    _readers.open[key] = opened
    while len(_readers.open) > _READERS_KEPT:
        _readers.open.popitem(last=False)
    return opened


def sample_distinct(table: FileTable, column: str) -> list[Sample]:
    """Distinct values in a few row groups of a column, spread over the table: from dictionary pages, else from some rows."""
    groups = [
        (file, group)
        for file in table.files
        if (known := footer(table.storage, file)).has(column)
        for group in range(known.row_groups)
        if known.rows[group]
    ]
    wanted = _LOCAL_SAMPLES if table.storage.scheme == "local" else 1
    picked = {round(number * (len(groups) - 1) / max(1, wanted - 1)) for number in range(wanted)} if groups else set()
    found = [_sample_dictionary(table.storage, *groups[number], column) for number in sorted(picked)]
    samples = [sample for sample in found if sample is not None]
    if samples or not picked:
        return samples
    # Decoding rows costs milliseconds, so one place has to do.
    rows = _sample_rows(table.storage, *groups[min(picked)], column)
    return [] if rows is None else [rows]


def _sample_dictionary(storage: Storage, file: File, group: int, column: str) -> Sample | None:
    known = footer(storage, file)
    leaf = known.leaf(column)
    if leaf is None:
        return None
    chunk = known.metadata.row_group(group).column(leaf)
    stated = chunk.statistics
    values = chunk.num_values - ((stated_nulls(stated) if stated is not None else None) or 0)
    if stated is not None and stated.has_distinct_count and stated.distinct_count:
        return Sample(values, stated.distinct_count)
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        with open_file(storage, file) as source:
            source.seek(chunk.dictionary_page_offset)
            page = read_dictionary_header(source.read(HEADER_BYTES))
        if page is not None and page.entries:
            return Sample(max(page.entries, encoded_values(page, chunk.total_uncompressed_size, values)), page.entries)
    return None


def _sample_rows(storage: Storage, file: File, group: int, column: str) -> Sample | None:
    if footer(storage, file).leaf(column) is None:
        return None
    batches = _opened(storage, file).reader.iter_batches(
        batch_size=_SAMPLE_ROWS, row_groups=[group], columns=[column], use_threads=False
    )
    try:
        array = next(batches).column(0)
        kind = normalise_type(array.type)
        plain = cast_array(array, pa.int32() if pa.types.is_null(kind) else kind, column)
    except (StopIteration, DataError, *DAMAGE):
        return None  # a damaged page is for the scan to report: an estimate is not worth an error
    return Sample(len(plain) - plain.null_count, pc.count_distinct(plain).as_py())

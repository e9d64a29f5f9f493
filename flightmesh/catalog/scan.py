"""The two questions a scan asks of any table: which splits are there, and what rows has this one.

Handed a table, filters over fields, or one split; hands on pruned splits, or batches. What always holds: batches have the asked
columns, in that order, under the table's names and with its normalised types (unless dictionaries are asked for), and at most
`morsel_rows` rows. When `columns` is empty the batches have one int8 column named `__rows`, because an Arrow batch without
columns cannot carry a row count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import pyarrow as pa

from flightmesh.catalog import memory as memory_tables
from flightmesh.catalog.column_cache import ColumnCache
from flightmesh.catalog.formats import arrow, csv, json, parquet
from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.normalise import Form
from flightmesh.catalog.partitions import partition_may_match
from flightmesh.catalog.promise import Promise
from flightmesh.catalog.table import FileSplit, FileTable, Format, MemorySplit, MemoryTable, Split, Table
from flightmesh.errors import InternalError
from flightmesh.expression.nodes import Expression, Field
from flightmesh.ids import ColumnId

ROWS_COLUMN = "__rows"
_MEMORY_SPLIT_ROWS = 131_072


def splits(
    table: Table, filters: Sequence[Expression] = (), fields: Sequence[Field] = (), first: Promise | None = None
) -> tuple[Split, ...]:
    """The splits of a table where every one of `filters` can be true, by statistics and partition values alone; with `first`
    those that have the first rows in that order come first, as far as is known.

    `filters` are predicates over `fields`, whose names are the table's. Raises InvalidInput when a file cannot be read.
    """
    match table:
        case MemoryTable():
            return memory_tables.splits(table, _MEMORY_SPLIT_ROWS)
        case FileTable():
            found = _file_splits(table, filters, {field.id: field.name for field in fields}, fine=first is not None)
            return found if first is None else first.in_order(table, found)


def read_split(
    table: Table,
    split: Split,
    columns: Sequence[str],
    *,
    morsel_rows: int,
    check: Callable[[], None] = lambda: None,
    memory: MemoryTables | None = None,
    metrics: ReadMetrics | None = None,
    form: Form = Form.PLAIN,
    kept: ColumnCache | None = None,
) -> Iterator[pa.RecordBatch]:
    """The rows of a split. `check` is called between batches and may raise; `memory` holds tables in memory; with
    Form.COMPACT the columns of some batches are dictionaries of texts, or decimal64; `kept` has columns of Parquet files that
    need not be read, and keeps those that are.

    Without `columns` the batches have one int8 column named `__rows` (zeros), so that they carry their row count.
    Raises InputChanged when a file is not the one that the table pinned, InvalidInput when it cannot be read.
    """
    counted = metrics if metrics is not None else ReadMetrics()
    counted.splits += 1
    match table, split:
        case MemoryTable(), MemorySplit():
            if memory is None:
                raise InternalError(f"table {table.name} is in memory, and the reader was given none")
            batches = _memory_batches(memory.get(table.key), split, columns, morsel_rows)
        case FileTable(), FileSplit():
            batches = _file_batches(table, split, columns, morsel_rows, _reader_of(table.format, form, kept), check, counted)
        case _:
            raise InternalError(f"{type(split).__name__} is not a split of a {type(table).__name__}")
    for batch in batches:
        counted.rows += batch.num_rows
        yield batch
        check()


def _memory_batches(data: pa.Table, split: MemorySplit, columns: Sequence[str], morsel_rows: int) -> Iterator[pa.RecordBatch]:
    if not columns:
        return _counted_rows(split.rows, morsel_rows)
    return memory_tables.read(data, split, columns, morsel_rows)


def _file_splits(
    table: FileTable, filters: Sequence[Expression], names: dict[ColumnId, str], *, fine: bool
) -> tuple[FileSplit, ...]:
    if table.format is Format.PARQUET:
        return parquet.splits(table, filters, names, fine=fine)
    found: list[FileSplit] = []
    for number in range(len(table.files)):
        if not partition_may_match(table, number, filters, names):
            continue
        match table.format:
            case Format.ARROW:
                found.extend(arrow.splits(table, number))
            case Format.CSV:
                found.extend(csv.splits(table, number))
            case Format.JSON:
                found.extend(json.splits(table, number))
    return tuple(found)


def _file_batches(
    table: FileTable,
    split: FileSplit,
    columns: Sequence[str],
    morsel_rows: int,
    reader: _Reader,
    check: Callable[[], None],
    metrics: ReadMetrics,
) -> Iterator[pa.RecordBatch]:
    stored = [name for name in columns if name not in table.partition_columns]
    if not stored and split.rows is not None:
        for batch in _counted_rows(split.rows, morsel_rows):
            yield _with_partition(table, split, columns, batch)
        return
    batches = reader(table, split, stored, morsel_rows=morsel_rows, check=check, metrics=metrics)
    if len(stored) == len(columns) and stored:
        yield from batches
        return
    for batch in batches:
        yield _with_partition(table, split, columns, batch)


class _Reader(Protocol):
    def __call__(
        self,
        table: FileTable,
        split: FileSplit,
        columns: Sequence[str],
        *,
        morsel_rows: int,
        check: Callable[[], None],
        metrics: ReadMetrics,
    ) -> Iterator[pa.RecordBatch]: ...


def _reader_of(format: Format, form: Form, kept: ColumnCache | None) -> _Reader:
    match format:
        case Format.PARQUET:
            return partial(parquet.read, form=form, kept=kept)
        case Format.CSV:
            return csv.read
        case Format.JSON:
            return json.read
        case Format.ARROW:
            return arrow.read


def _with_partition(table: FileTable, split: FileSplit, columns: Sequence[str], batch: pa.RecordBatch) -> pa.RecordBatch:
    if not columns:
        return _rows_batch(batch.num_rows)
    values: dict[str, Any] = dict(zip(table.partition_columns, table.files[split.file].partition, strict=True))
    arrays = [
        pa.repeat(values[name], batch.num_rows) if name in values else batch.column(batch.schema.get_field_index(name))
        for name in columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _counted_rows(rows: int, morsel_rows: int) -> Iterator[pa.RecordBatch]:
    for offset in range(0, rows, morsel_rows):
        yield _rows_batch(min(morsel_rows, rows - offset))


def _rows_batch(rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.repeat(pa.scalar(0, pa.int8()), rows)], names=[ROWS_COLUMN])

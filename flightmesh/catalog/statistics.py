"""What the optimizer may know of a table before anything is read: rows, bytes, bounds, NULLs, estimates of distinct values.

Handed a table; hands on `TableStatistics` whose columns are computed when first asked for and kept. What always holds:
statistics are those of the pinned files (the cache's key is path, size and mtime), and they guide plans but never answer
queries: bounds may be wider than the data, distinct counts are estimates.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import pyarrow as pa

from flightmesh.catalog.distinct import Sample, estimate_distinct
from flightmesh.catalog.formats import arrow, parquet
from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.pruning import Range, comparable
from flightmesh.catalog.table import ColumnStatistics, FileTable, Format, MemoryTable, Storage, Table, TableStatistics
from flightmesh.compute import pc

_TABLES_KEPT = 256
_MEMORY_SAMPLE_ROWS = 65_536
_Key: TypeAlias = tuple[Storage, tuple[tuple[str, int, int], ...], pa.Schema, tuple[tuple[str, str], ...]]
_kept: OrderedDict[_Key, TableStatistics] = OrderedDict()
_lock = threading.Lock()


class LazyColumns(Mapping[str, ColumnStatistics]):
    """Statistics by column name, each computed when first asked for."""

    def __init__(self, names: tuple[str, ...], compute: Callable[[str], ColumnStatistics]) -> None:
        self._names = names
        self._compute = compute
        self._known: dict[str, ColumnStatistics] = {}

    def __getitem__(self, name: str) -> ColumnStatistics:
        found = self._known.get(name)
        if found is None:
            if name not in self._names:
                raise KeyError(name)
            found = self._known[name] = self._compute(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def statistics(table: Table, memory: MemoryTables | None = None) -> TableStatistics:
    """Statistics of a table; `memory` holds tables in memory (without it only their rows and bytes are known)."""
    match table:
        case MemoryTable():
            if memory is None:
                return TableStatistics(table.rows, table.bytes)
            return _of_memory(table, memory)
        case FileTable():
            return _of_files(table)


def _of_files(table: FileTable) -> TableStatistics:
    files = tuple((file.path, file.size, file.mtime_ns) for file in table.files)
    key = (table.storage, files, table.schema, table.options)
    with _lock:
        found = _kept.get(key)
        if found is not None:
            _kept.move_to_end(key)
            return found
    found = _collect(table)
    with _lock:
        _kept[key] = found
        while len(_kept) > _TABLES_KEPT:
            _kept.popitem(last=False)
    return found


def _collect(table: FileTable) -> TableStatistics:
    size = sum(file.size for file in table.files)
    if table.format is Format.ARROW:
        counts = [arrow.batch_rows(table.storage, file) for file in table.files]
        return TableStatistics(None if None in counts else sum(sum(c) for c in counts if c is not None), size)
    if table.format is not Format.PARQUET:
        return TableStatistics(None, size)
    footers = [parquet.footer(table.storage, file) for file in table.files]
    rows = sum(sum(found.rows) for found in footers)
    names = tuple(table.schema.names)
    return TableStatistics(rows, size, LazyColumns(names, lambda name: _parquet_column(table, name, rows)))


def _parquet_column(table: FileTable, name: str, rows: int) -> ColumnStatistics:
    if name in table.partition_columns:
        return _partition_column(table, name)
    kind = table.schema.field(name).type
    ranges: list[Range] = []
    nulls: int | None = 0
    for file in table.files:
        found = parquet.footer(table.storage, file)
        if not found.has(name):
            nulls = None if nulls is None else nulls + sum(found.rows)
            continue
        column = found.column(name, kind)
        ranges.extend(column.ranges)
        for count in column.null_counts:
            nulls = None if nulls is None or count is None else nulls + count
    samples = parquet.sample_distinct(table, name)
    values = rows - (nulls or 0)
    low, high = bounds(ranges)
    return ColumnStatistics(low, high, nulls, estimate_distinct(samples, values, ranges))


def _partition_column(table: FileTable, name: str) -> ColumnStatistics:
    position = table.partition_columns.index(name)
    known = [file.partition[position] for file in table.files if file.partition[position].is_valid]
    nulls = (
        None
        if table.format is not Format.PARQUET
        else sum(sum(parquet.footer(table.storage, file).rows) for file in table.files if not file.partition[position].is_valid)
    )
    low, high = bounds([Range.constant(value) for value in known])
    return ColumnStatistics(low, high, nulls, len({comparable(value) for value in known}))


def bounds(ranges: list[Range]) -> tuple[pa.Scalar | None, pa.Scalar | None]:
    """The least minimum and the greatest maximum, each None when some group does not state its own."""
    stated = [found for found in ranges if found.may_have_values]
    lows = [found.minimum for found in stated]
    highs = [found.maximum for found in stated]
    low = None if not lows or None in lows else min((v for v in lows if v is not None), key=comparable)
    high = None if not highs or None in highs else max((v for v in highs if v is not None), key=comparable)
    return low, high


def _of_memory(table: MemoryTable, memory: MemoryTables) -> TableStatistics:
    data = memory.get(table.key)
    return TableStatistics(table.rows, table.bytes, LazyColumns(tuple(data.column_names), lambda n: _memory_column(data, n)))


def _memory_column(data: pa.Table, name: str) -> ColumnStatistics:
    column = data.column(name)
    if pa.types.is_nested(column.type) or pa.types.is_interval(column.type):  # neither ordered nor counted by Arrow
        return ColumnStatistics(null_count=column.null_count)
    ends = pc.min_max(column)
    low, high = (ends[end] if ends[end].is_valid else None for end in ("min", "max"))
    step = max(1, len(column) // _MEMORY_SAMPLE_ROWS)
    part = column if step == 1 else column.slice(0, _MEMORY_SAMPLE_ROWS // 2)
    samples = [Sample(len(part) - part.null_count, pc.count_distinct(part).as_py())]
    if step > 1:
        late = column.slice(len(column) - _MEMORY_SAMPLE_ROWS // 2)
        samples.append(Sample(len(late) - late.null_count, pc.count_distinct(late).as_py()))
    distinct = estimate_distinct(samples, len(column) - column.null_count, [Range(low, high)])
    return ColumnStatistics(low, high, column.null_count, distinct)

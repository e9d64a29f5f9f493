"""Whether no two rows of a table agree in a column: proved by reading the column, never taken from estimates.

Handed a table and a column's name; hands on a proof, or none. What always holds: a proof is of the files as they are pinned
(path, size and mtime; a job fails where a file is another by then), it is found once for them and kept, and columns that are
not worth reading for it are not read: those of large tables, of other types than integers and dates, with NULLs, or that
statistics already say repeat.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.catalog.scan import read_split, splits
from flightmesh.catalog.statistics import statistics
from flightmesh.catalog.table import FileTable, Format, Storage, Table
from flightmesh.errors import FlightmeshError

MOST_ROWS = 1 << 21
"""Larger tables are not read for a proof: that takes 10 ns a row."""
LIKELY = 0.95
"""Values estimated to be different, as a share of the rows, for a column to be read at all."""
_PROOFS_KEPT = 1024
_MORSEL_ROWS = 131_072
_TABLE_PER_ROW = 16
"""A table of marks may have so many places for each row."""

_Key: TypeAlias = tuple[Storage, tuple[tuple[str, int, int], ...], str]
_proofs: OrderedDict[_Key, bool] = OrderedDict()
_lock = threading.Lock()


def is_unique(table: Table, column: str) -> bool:
    """Whether it is proved that no two rows of the table have one value in this column, and none has NULL. May read the
    column, on the calling thread."""
    if not isinstance(table, FileTable) or not _can_be_asked(table, column):
        return False
    key = (table.storage, tuple((file.path, file.size, file.mtime_ns) for file in table.files), column)
    with _lock:
        known = _proofs.get(key)
    if known is None:
        known = _is_likely(table, column) and _read_and_compare(table, column)
        with _lock:
            _proofs[key] = known
            while len(_proofs) > _PROOFS_KEPT:
                _proofs.popitem(last=False)
    return known


def _can_be_asked(table: FileTable, column: str) -> bool:
    # Files without an mtime are pinned by their size alone, which proves nothing of what is in them.
    if table.format is not Format.PARQUET or table.storage.scheme != "local" or not all(f.mtime_ns for f in table.files):
        return False
    kind = table.schema.field(column).type
    return column not in table.partition_columns and bool(pa.types.is_integer(kind) or pa.types.is_date32(kind))


def _is_likely(table: FileTable, column: str) -> bool:
    known = statistics(table)
    found = known.columns.get(column)
    if known.rows is None or known.rows > MOST_ROWS or found is None or found.null_count != 0:
        return False
    return found.distinct is None or found.distinct >= LIKELY * known.rows


def _read_and_compare(table: FileTable, column: str) -> bool:
    parts: list[npt.NDArray[np.int64]] = []
    try:
        for split in splits(table):
            for batch in read_split(table, split, [column], morsel_rows=_MORSEL_ROWS):
                array = batch.column(0)
                if array.null_count or pa.types.is_uint64(array.type):
                    return False
                wide = array.cast(pa.int32()) if pa.types.is_date32(array.type) else array
                parts.append(wide.cast(pa.int64()).to_numpy(zero_copy_only=False))
    except FlightmeshError:
        return False  # what cannot be read is for the scan to report
    return _all_different(np.concatenate([np.zeros(0, np.int64), *parts]))


def _all_different(values: npt.NDArray[np.int64]) -> bool:
    if len(values) < 2 or bool((values[1:] > values[:-1]).all()):
        return True
    low, high = int(values.min()), int(values.max())
    if high - low < _TABLE_PER_ROW * len(values):
        marks = np.zeros(high - low + 1, np.bool_)
        marks[values - low] = True
        return int(np.count_nonzero(marks)) == len(values)
    ordered = np.sort(values)
    return bool((ordered[1:] != ordered[:-1]).all())

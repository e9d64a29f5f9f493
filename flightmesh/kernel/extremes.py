"""The row with the least or the greatest value of each group.

Handed a grouping and a column; hands on one row number a group, -1 where the group has no value. Numbers are reduced directly. Strings
are reduced eight bytes at a time: of each group only the rows that share the best first word go on to the next word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.kernel.group import Grouping
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.sort import sortable
from flightmesh.kernel.values import Array, Int64s, decimal_words, validity

_WORD = 8


def extreme_numbers(function: str, grouping: Grouping, array: Array) -> Int64s:
    """For numbers, booleans, dates, times and decimals."""
    array = sortable(array)
    found = integer_values(array)
    rows = _rows_with_values(array)
    ids = grouping.ids if rows is None else grouping.ids[rows]
    if found is not None and found[1] is None:
        values = found[0]
        if array.type == pa.uint64():
            values = values ^ np.int64(-(1 << 63))
        return _winners(function, ids, grouping, rows, [values if rows is None else values[rows]])
    low, high = decimal_words(array)
    parts = [high.view(np.int64), low.view(np.int64) ^ np.int64(-(1 << 63))]
    return _winners(function, ids, grouping, rows, [p if rows is None else p[rows] for p in parts])


def extreme_bytes(function: str, grouping: Grouping, array: Array) -> Int64s:
    """For strings and binaries, compared byte by byte."""
    rows = _rows_with_values(array)
    if rows is None:
        rows = np.arange(len(array))
    best = np.full(grouping.count, -1, np.int64)
    if len(rows) == 0:
        return best
    text = _Bytes(array)
    ids = grouping.ids[rows]
    at = 0
    while True:
        rows, ids = _keep_best(function, ids, rows, grouping.count, text.words(rows, at))
        at += _WORD
        if at >= text.longest or len(rows) <= int(np.count_nonzero(np.bincount(ids))):
            break
    rows, ids = _keep_best(function, ids, rows, grouping.count, text.lengths(rows))
    best[ids] = rows
    return best


class _Bytes:
    """The bytes of a string array, eight at a time, in an order that integers can carry."""

    def __init__(self, array: Array) -> None:
        buffers = array.buffers()
        self._offsets = np.frombuffer(buffers[1], np.dtype("<i4"), count=len(array) + 1, offset=4 * array.offset)
        size = 0 if buffers[2] is None else buffers[2].size
        data = np.zeros(size + _WORD, np.uint8)
        if size:
            data[:size] = np.frombuffer(buffers[2], np.uint8)
        self._words = np.ndarray((size + 1,), np.dtype(">u8"), data, 0, (1,))
        self.longest = int(np.diff(self._offsets).max())

    def lengths(self, rows: Int64s) -> Int64s:
        return (self._offsets[rows + 1] - self._offsets[rows]).astype(np.int64)

    def words(self, rows: Int64s, at: int) -> Int64s:
        """Bytes `at` up to `at + 8`, zeros past the end, as integers that compare as the bytes do."""
        starts = self._offsets[rows].astype(np.int64)
        left = np.clip(self._offsets[rows + 1] - starts - at, 0, _WORD)
        words = self._words[np.minimum(starts + at, len(self._words) - 1)].astype(np.uint64)
        unused = (_WORD - left).astype(np.uint64) << np.uint64(3)
        kept = np.where(left == 0, np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF) << np.minimum(unused, np.uint64(56)))
        return (words & kept).view(np.int64) ^ np.int64(-(1 << 63))


def _rows_with_values(array: Array) -> Int64s | None:
    valid = validity(array)
    return None if valid is None else np.flatnonzero(valid)


def _winners(
    function: str, ids: npt.NDArray[Any], grouping: Grouping, rows: Int64s | None, parts: list[Int64s]
) -> Int64s:
    """The winning row of each group by its parts, most significant first."""
    best = np.full(grouping.count, -1, np.int64)
    if len(ids) == 0:
        return best
    local = np.arange(len(ids))
    for number, part in enumerate(parts):
        local, ids = _keep_best(function, ids, local, grouping.count, part if number == 0 else part[local])
    best[ids] = local if rows is None else rows[local]
    return best


def _keep_best(
    function: str, ids: npt.NDArray[Any], rows: Int64s, count: int, values: Int64s
) -> tuple[Int64s, npt.NDArray[Any]]:
    """Of each group the rows whose value is the least (greatest)."""
    reduce = np.minimum if function == "min" else np.maximum
    if count == 1:
        kept = values == reduce.reduce(values)
        return rows[kept], ids[kept]
    order = None if _ordered(ids) else stable_order(ids, count)
    ordered_ids = ids if order is None else ids[order]
    starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(ordered_ids[1:] != ordered_ids[:-1]) + 1))
    best = np.zeros(count, np.int64)
    best[ordered_ids[starts]] = reduce.reduceat(values if order is None else values[order], starts)
    kept = values == best[ids]
    return rows[kept], ids[kept]


def _ordered(ids: npt.NDArray[Any]) -> bool:
    return bool((ids[1:] >= ids[:-1]).all())

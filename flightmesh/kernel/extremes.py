"""The row with the least or the greatest value of each group.

Handed a grouping and a column; hands on one row number a group, -1 where the group has no value. Numbers are reduced directly.
Strings are reduced eight bytes at a time: of each group only the rows that share the best first word go on to the next word.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.kernel.byte_words import ByteWords
from flightmesh.kernel.group import Grouping
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.sort import sortable
from flightmesh.kernel.values import Array, Int64s, decimal_words, validity

_ROUNDS = 32
_WORST = {"min": np.int64(2**63 - 1), "max": np.int64(-(2**63))}
_FLIP = np.int64(-(2**63))
"""Turns unsigned order into signed order."""


def extreme_numbers(function: str, grouping: Grouping, array: Array) -> Int64s:
    """For numbers, booleans, dates, times and decimals."""
    array = sortable(array)
    found = integer_values(array)
    rows = _rows_with_values(array)
    ids = grouping.ids if rows is None else grouping.ids[rows]
    if found is not None and found[1] is None:
        values = found[0]
        if array.type == pa.uint64():
            values = values ^ _FLIP
        return _winners(function, ids, grouping, rows, [values if rows is None else values[rows]])
    if not pa.types.is_decimal128(array.type):
        raise InternalError(f"no order of values of type {array.type}")
    low, high = decimal_words(array)
    parts = [high.view(np.int64), low.view(np.int64) ^ _FLIP]
    return _winners(function, ids, grouping, rows, [p if rows is None else p[rows] for p in parts])


def extreme_bytes(function: str, grouping: Grouping, array: Array) -> Int64s:
    """For strings and binaries, compared byte by byte."""
    rows = _rows_with_values(array)
    if rows is None:
        rows = np.arange(len(array))
    best = np.full(grouping.count, -1, np.int64)
    if len(rows) == 0:
        return best
    text = ByteWords(array)
    ids = grouping.ids[rows]
    at = 0
    while True:
        rows, ids = _keep_best(function, ids, rows, grouping.count, _big_endian(text, rows, at))
        at += 8
        if at >= text.longest or len(rows) <= int(np.count_nonzero(np.bincount(ids))):
            break
    rows, ids = _keep_best(function, ids, rows, grouping.count, text.lengths[rows])
    best[ids] = rows
    return best


def _big_endian(text: ByteWords, rows: Int64s, at: int) -> Int64s:
    """Bytes `at` up to `at + 8` of each row, zeros past its end, as integers that compare as the bytes do."""
    starts = text.starts[rows]
    left = np.clip(text.lengths[rows] - at, 0, 8)
    words = text.at(np.where(left > 0, starts + at, starts)).byteswap()
    unused = (8 - left).astype(np.uint64) << np.uint64(3)
    words &= np.where(left == 0, np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF) << np.minimum(unused, np.uint64(56)))
    return words.view(np.int64) ^ _FLIP


def _rows_with_values(array: Array) -> Int64s | None:
    valid = validity(array)
    return None if valid is None else np.flatnonzero(valid)


def _winners(function: str, ids: Int64s, grouping: Grouping, rows: Int64s | None, parts: list[Int64s]) -> Int64s:
    """The winning row of each group by its parts, most significant first."""
    best = np.full(grouping.count, -1, np.int64)
    if len(ids) == 0:
        return best
    local = np.arange(len(ids))
    for number, part in enumerate(parts):
        local, ids = _keep_best(function, ids, local, grouping.count, part if number == 0 else part[local])
    best[ids] = local if rows is None else rows[local]
    return best


def _keep_best(function: str, ids: Int64s, rows: Int64s, count: int, values: Int64s) -> tuple[Int64s, Int64s]:
    """Of each group the rows whose value is the least (greatest)."""
    if count == 1:
        kept = values == (values.min() if function == "min" else values.max())
        return rows[kept], ids[kept]
    kept = values == _best(function, ids, count, values)[ids]
    return rows[kept], ids[kept]


def _best(function: str, ids: Int64s, count: int, values: Int64s) -> Int64s:
    """The least (greatest) value of each group; anything for groups without rows.

    A tournament: in each round every row that still beats its group's best writes its value there, and of those in a group the
    last write stays; about half of the challengers drop out in a round. Rounds write forwards and backwards in turn, so that
    rows in order of value end at once. An order made to defeat that ends in a sort.
    """
    beats = np.less if function == "min" else np.greater
    best = np.full(count, _WORST[function])
    challengers: Int64s | None = None
    for _ in range(_ROUNDS):
        if challengers is None:
            best[ids] = values
            challengers = np.flatnonzero(beats(values, best[ids]))
        else:
            challengers = challengers[::-1]
            best[ids[challengers]] = values[challengers]
            challengers = challengers[beats(values[challengers], best[ids[challengers]])]
        if len(challengers) == 0:
            return best
    order = stable_order(ids, count)
    ordered = ids[order]
    starts = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(ordered[1:] != ordered[:-1]) + 1))
    reduce = np.minimum if function == "min" else np.maximum
    best[ordered[starts]] = reduce.reduceat(values[order], starts)
    return best

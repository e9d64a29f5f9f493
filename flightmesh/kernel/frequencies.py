"""How often values stand in groups: the most frequent one, the entropy.

Handed a grouping and a column; hands on a row number or a double a group. What always holds: NULLs count for nothing.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.kernel.extremes import extreme_bytes, extreme_numbers
from flightmesh.kernel.group import Grouping, group_rows
from flightmesh.kernel.values import Array, Int64s, is_byte_string, validity


def frequent_rows(grouping: Grouping, argument: Array) -> Int64s:
    """A row of each group's most frequent value, of equally frequent ones the smallest; -1 for a group without values."""
    ids, rows = _most_frequent(grouping, argument)
    if len(rows) == 0:
        return np.full(grouping.count, -1, np.int64)
    smallest = extreme_bytes if is_byte_string(argument.type) else extreme_numbers
    found = smallest("min", Grouping(ids, grouping.count, rows), argument.take(pa.array(rows)))
    return np.where(found < 0, -1, rows[found])


def first_frequent_rows(grouping: Grouping, argument: Array) -> Int64s:
    """The first row of each group's most frequent value, of equally frequent ones the one that comes first; -1 for a group
    without values."""
    best = np.full(grouping.count, -1, np.int64)
    ids, rows = _most_frequent(grouping, argument)
    order = np.argsort(rows)[::-1]
    best[ids[order]] = rows[order]  # the last write stays: the first row
    return best


def _most_frequent(grouping: Grouping, argument: Array) -> tuple[Int64s, Int64s]:
    """The most frequent values of each group, equally frequent ones side by side: the group, the first row that has it."""
    ids, rows, counts = _pairs(grouping, argument)
    most = np.zeros(grouping.count, np.int64)
    order = np.argsort(counts, kind="stable")
    most[ids[order]] = counts[order]  # the last write stays: the greatest
    kept = counts == most[ids]
    return ids[kept], rows[kept]


def entropies(grouping: Grouping, argument: Array) -> Array:
    """Shannon's entropy, in bits, of each group's values."""
    ids, _, counts = _pairs(grouping, argument)
    totals = np.bincount(ids, weights=counts, minlength=grouping.count)
    shares = counts / totals[ids]
    # Adding 0.0 makes a plain zero of the -0.0 that one value gives.
    return pa.array(np.bincount(ids, weights=-shares * np.log2(shares), minlength=grouping.count) + 0.0, mask=totals == 0)


def _pairs(grouping: Grouping, argument: Array) -> tuple[Int64s, Int64s, Int64s]:
    """Each group's distinct values: the group, the first row that has it, how many rows have it."""
    if pa.types.is_null(argument.type):
        none = np.zeros(0, np.int64)
        return none, none, none
    valid = validity(argument)
    rows = np.arange(len(argument)) if valid is None else np.flatnonzero(valid)
    ids = grouping.ids[rows]
    values = argument if valid is None else argument.take(pa.array(rows))
    pairs = group_rows([pa.array(ids), values], len(rows))
    counts = np.bincount(pairs.ids, minlength=pairs.count)
    first = np.zeros(pairs.count, np.int64)
    first[pairs.ids[::-1]] = np.arange(len(rows) - 1, -1, -1)  # the last write stays: the first row
    return ids[first], rows[first], counts

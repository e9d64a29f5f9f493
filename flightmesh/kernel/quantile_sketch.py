"""Sketches of the order of the values of groups: made of a column, and merged. Their form is `sketches.quantiles`'s.

Handed a grouping and a column; hands on one sketch a group, empty for a group without values. What always holds: a sketch of
some rows, and the merged sketches of any parts of them, are the same bytes: how far the buckets have to be merged depends on
the set of buckets alone, and grows with it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.kernel.group import Grouping, group_rows
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.values import Array, Int64s, Words, buffer_view, integers, is_integer_like, pack_bits, validity
from flightmesh.kernel.within import order_within, sorted_within
from flightmesh.sketches.quantiles import HEAD, MOST_BUCKETS, ordered_keys
from flightmesh.sketches.ragged import large_array, large_values, places_in, row_of_each

SAMPLE = 4
"""So many times the most buckets of a group are looked at first, where groups have many more rows than that."""

_BITS = 64


def quantile_sketches(grouping: Grouping, argument: Array) -> Array:
    """The sketch of each group's values: numbers as doubles."""
    ids, keys = _keys(grouping.ids, argument)
    groups = grouping.count
    shifts = _of_a_sample(ids, keys, groups)
    least, greatest = _ends(ids, keys, groups)
    if shifts.any():
        buckets = keys >> shifts[ids]
        pairs = group_rows([pa.array(ids), pa.array(buckets)], len(ids))
        counts = np.bincount(pairs.ids, minlength=pairs.count).astype(np.int64, copy=False)
        ids, keys = ids[pairs.rows], buckets[pairs.rows]
    else:
        ids, keys = sorted_within(ids, keys, groups)
        counts = np.ones(len(ids), np.int64)
    return _packed(*_compact(ids, keys, counts, shifts, groups), shifts, least, greatest)


def merged_quantile_sketches(grouping: Grouping, sketches: Array) -> Array:
    """The sketch of all that the sketches of each group have seen."""
    words, starts, lengths = large_values(sketches)
    rows = np.flatnonzero(lengths > 0)
    starts, sizes, ids = starts[rows], (lengths[rows] - HEAD) // 2, grouping.ids[rows]
    groups = grouping.count
    shifts, greatest = np.zeros(groups, np.int64), np.full(groups, -(2**63))
    least = np.full(groups, 2**63 - 1)
    order = stable_order(ids, groups)
    first = np.flatnonzero(np.diff(ids[order], prepend=-1))
    filled = ids[order][first]
    if len(rows):
        shifts[filled] = np.maximum.reduceat(words[starts[order]], first)
        least[filled] = np.minimum.reduceat(words[starts[order] + 1], first)
        greatest[filled] = np.maximum.reduceat(words[starts[order] + 2], first)
    row = row_of_each(sizes)
    ids_of_each = ids[row]
    buckets = words[places_in(starts + HEAD, sizes)] >> (shifts[ids_of_each] - words[starts][row])
    counts = words[places_in(starts + HEAD + sizes, sizes)]
    return _packed(*_compact(ids_of_each, buckets, counts, shifts, groups), shifts, least, greatest)


def _keys(ids: Int64s, argument: Array) -> tuple[Int64s, Int64s]:
    """The group and the key of each row that is not NULL."""
    if pa.types.is_null(argument.type):
        return ids[:0], np.zeros(0, np.int64)
    valid = validity(argument)
    if valid is not None:
        ids, argument = ids[valid], argument.filter(pack_bits(valid))
    return ids, ordered_keys(_doubles(argument))


def _doubles(argument: Array) -> npt.NDArray[np.float64]:
    """Numbers and times as doubles; those beyond 2**53 are rounded."""
    if is_integer_like(argument.type) and argument.type != pa.uint64():
        return integers(argument).astype(np.float64)
    if argument.type == pa.uint64():
        return buffer_view(argument, np.dtype("<u8")).astype(np.float64)
    return buffer_view(argument.cast(pa.float64()), np.dtype("<f8"))


def _of_a_sample(ids: Int64s, keys: Int64s, groups: int) -> Int64s:
    """The shift that the first rows of each group need: by that much all rows can be rounded, into few buckets."""
    shifts = np.zeros(groups, np.int64)
    size = SAMPLE * MOST_BUCKETS * groups
    if len(ids) >= 2 * size:
        _compact(ids[:size], keys[:size], np.ones(size, np.int64), shifts, groups)
    return shifts


def _ends(ids: Int64s, keys: Int64s, groups: int) -> tuple[Int64s, Int64s]:
    """The least and the greatest key of each group."""
    least, greatest = np.full(groups, 2**63 - 1), np.full(groups, -(2**63))
    if groups == 1 and len(keys):
        return np.array([keys.min()]), np.array([keys.max()])
    order = stable_order(ids, groups)
    first = np.flatnonzero(np.diff(ids[order], prepend=-1))
    if len(first):
        filled = ids[order][first]
        least[filled] = np.minimum.reduceat(keys[order], first)
        greatest[filled] = np.maximum.reduceat(keys[order], first)
    return least, greatest


def _compact(ids: Int64s, buckets: Int64s, counts: Int64s, shifts: Int64s, groups: int) -> tuple[Int64s, Int64s, Int64s]:
    """Groups, buckets and counts in order, each bucket once and no group with more than the most of them: `shifts`, by which
    the buckets have been shifted, grow where need be."""
    if ((ids[1:] < ids[:-1]) | ((ids[1:] == ids[:-1]) & (buckets[1:] < buckets[:-1]))).any():
        order = order_within(ids, buckets, groups)
        ids, buckets, counts = ids[order], buckets[order], counts[order]
    ids, buckets, counts = _runs(ids, buckets, counts)
    sizes = np.bincount(ids, minlength=groups)
    over = sizes > MOST_BUCKETS
    if not over.any():
        return ids, buckets, counts
    numbers = np.flatnonzero(over)
    place = np.zeros(groups, np.int64)
    place[numbers] = np.arange(len(numbers))
    pair = np.flatnonzero((ids[1:] == ids[:-1]) & over[ids[1:]])
    apart = _bit_lengths((buckets[pair + 1] ^ buckets[pair]).view(np.uint64))
    widths = _BITS + 1
    found = np.bincount(place[ids[pair]] * widths + apart, minlength=widths * len(numbers)).reshape(-1, widths)
    above = np.cumsum(found[:, ::-1], axis=1)[:, ::-1]  # neighbours that differ in this bit or a higher one
    more = np.zeros(groups, np.int64)
    more[numbers] = np.argmax(above < MOST_BUCKETS, axis=1) - 1
    shifts += more
    return _runs(ids, buckets >> more[ids], counts)


def _runs(ids: Int64s, buckets: Int64s, counts: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Equal neighbours as one, their counts added up."""
    changes = (ids[1:] != ids[:-1]) | (buckets[1:] != buckets[:-1])
    if len(ids) == 0 or changes.all():
        return ids, buckets, counts
    first = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(changes) + 1))
    return ids[first], buckets[first], np.add.reduceat(counts, first)


def _bit_lengths(words: Words) -> Int64s:
    """Bits up to the highest that is set. Without the bit below that one no rounding to a double reaches the next power."""
    return np.frexp((words & ~(words >> np.uint64(1))).astype(np.float64))[1].astype(np.int64)


def _packed(ids: Int64s, buckets: Int64s, counts: Int64s, shifts: Int64s, least: Int64s, greatest: Int64s) -> Array:
    sizes = np.bincount(ids, minlength=len(shifts)).astype(np.int64, copy=False)
    filled = sizes > 0
    lengths = np.where(filled, HEAD + 2 * sizes, 0)
    starts = np.cumsum(lengths) - lengths
    words = np.empty(int(lengths.sum()), np.int64)
    for number, part in enumerate((shifts, least, greatest)):
        words[starts[filled] + number] = part[filled]
    words[places_in(starts + HEAD, sizes)] = buckets
    words[places_in(starts + HEAD + sizes, sizes)] = counts
    return large_array(words, lengths)

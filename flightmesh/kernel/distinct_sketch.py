"""Sketches of the distinct values of groups: made of a column, and merged. Their form is `sketches.distinct`'s.

Handed a grouping and a column; hands on one sketch a group, empty for a group without values. What always holds: a sketch of
some rows, and the merged sketches of any parts of them, have the same form and give the same count.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.kernel.group import Grouping
from flightmesh.kernel.hash import COMBINE, hash_columns, mix
from flightmesh.kernel.values import Array, Int64s, Words, pack_bits, validity
from flightmesh.kernel.within import sorted_within
from flightmesh.sketches.distinct import MOST_HASHES, REGISTERS, REST_BITS
from flightmesh.sketches.ragged import large_array, large_values, places_in, row_of_each

Registers = npt.NDArray[np.uint8]

_WORDS = REGISTERS // 8


@dataclass(slots=True)
class _Dense:
    """Groups that have registers, in ascending order, and the registers, a row each."""

    groups: Int64s
    registers: Registers

    def places(self, count: int) -> Int64s:
        """The row of each of `count` groups, -1 for those without."""
        found = np.full(count, -1, np.int64)
        found[self.groups] = np.arange(len(self.groups))
        return found


def distinct_sketches(grouping: Grouping, argument: Array) -> Array:
    """The sketch of each group's values."""
    ids, values = _with_values(grouping.ids, argument)
    many = np.bincount(ids, minlength=grouping.count) > MOST_HASHES
    dense = _none()
    if many.any():
        inside = many[ids]
        everything = bool(inside.all())
        hashes = _hashes(values if everything else values.filter(pack_bits(inside)))
        dense = _filled(ids if everything else ids[inside], hashes, np.flatnonzero(many), grouping.count)
        sure = np.count_nonzero(dense.registers, axis=1) > MOST_HASHES
        dense = _Dense(dense.groups[sure], dense.registers[sure])
        rest = dense.places(grouping.count)[ids] < 0
        ids, values = ids[rest], values.filter(pack_bits(rest))
    hashes = _hashes(values) if len(ids) else np.zeros(0, np.uint64)
    return _packed(ids, hashes, dense, grouping.count)


def merged_sketches(grouping: Grouping, sketches: Array) -> Array:
    """The sketch of all that the sketches of each group have seen."""
    signed, starts, sizes = large_values(sketches)
    words = signed.view(np.uint64)
    full = sizes == _WORDS
    sets = np.flatnonzero(~full)
    hashes = words[places_in(starts[sets], sizes[sets])]
    ids = grouping.ids[sets][row_of_each(sizes[sets])]
    dense = _none()
    if full.any():
        dense = _united(words, starts[full], grouping.ids[full])
        place = dense.places(grouping.count)
        inside = place[ids] >= 0
        if inside.any():
            more = _filled(ids[inside], hashes[inside], np.flatnonzero(np.bincount(ids[inside])), grouping.count)
            rows = place[more.groups]
            dense.registers[rows] = np.maximum(dense.registers[rows], more.registers)
            ids, hashes = ids[~inside], hashes[~inside]
    return _packed(ids, hashes, dense, grouping.count)


def _none() -> _Dense:
    return _Dense(np.zeros(0, np.int64), np.zeros((0, REGISTERS), np.uint8))


def _with_values(ids: Int64s, argument: Array) -> tuple[Int64s, Array]:
    """The rows that are not NULL."""
    if pa.types.is_null(argument.type):
        return ids[:0], argument.slice(0, 0)
    if pa.types.is_dictionary(argument.type):
        argument = argument.cast(argument.type.value_type)
    valid = validity(argument)
    return (ids, argument) if valid is None else (ids[valid], argument.filter(pack_bits(valid)))


def _hashes(values: Array) -> Words:
    """Mixed once more: the plain hashes have chosen the rows' buckets where values are keys, too."""
    return mix(hash_columns([values]) * COMBINE)


def _filled(ids: Int64s, hashes: Words, groups: Int64s, count: int) -> _Dense:
    """The registers of `groups`, those of these hashes. Levels are written in ascending order, so the last write stays, the
    greatest; about half of the rows of a level go on to the next."""
    place = np.zeros(count, np.int64)
    place[groups] = np.arange(len(groups)) * REGISTERS
    at = place[ids] + (hashes >> np.uint64(REST_BITS)).view(np.int64)
    rest = (hashes & np.uint64((1 << REST_BITS) - 1)).astype(np.float64)  # exact: 52 bits
    levels = (REST_BITS + 1 - np.frexp(rest)[1]).astype(np.uint8)
    table = np.zeros(len(groups) * REGISTERS, np.uint8)
    level = 1
    while len(at):
        table[at] = level
        more = levels > level
        at, levels = at[more], levels[more]
        level += 1
    return _Dense(groups, table.reshape(-1, REGISTERS))


def _united(words: Words, starts: Int64s, ids: Int64s) -> _Dense:
    """The greatest of each register over the dense sketches of a group: first of two sketches of each, then of three, ..."""
    order = np.argsort(ids, kind="stable")
    ids, starts = ids[order], starts[order]
    first = np.flatnonzero(np.diff(ids, prepend=-1))
    counts = np.diff(first, append=len(ids))
    windows = np.lib.stride_tricks.sliding_window_view(words, _WORDS)
    best = windows[starts[first]].view(np.uint8)
    for number in range(1, int(counts.max())):
        rows = np.flatnonzero(counts > number)
        best[rows] = np.maximum(best[rows], windows[starts[first[rows] + number]].view(np.uint8))
    return _Dense(ids[first], best)


def _packed(ids: Int64s, hashes: Words, dense: _Dense, groups: int) -> Array:
    """Sketches of the hashes of groups, those that are too many as registers, and of the `dense` ones."""
    ids, keys = sorted_within(ids, hashes.view(np.int64), groups)
    first = np.ones(len(ids), np.bool_)
    first[1:] = (ids[1:] != ids[:-1]) | (keys[1:] != keys[:-1])
    ids, hashes = ids[first], keys[first].view(np.uint64)
    sizes = np.bincount(ids, minlength=groups).astype(np.int64, copy=False)
    many = sizes > MOST_HASHES
    if many.any():
        inside = many[ids]
        made = _filled(ids[inside], hashes[inside], np.flatnonzero(many), groups)
        numbers = np.concatenate((dense.groups, made.groups))
        dense = _Dense(numbers, np.concatenate((dense.registers, made.registers)))
        hashes = hashes[~inside]
        sizes[many] = 0
    kept = sizes.copy()
    sizes[dense.groups] = _WORDS
    ends = np.cumsum(sizes)
    words = hashes
    if len(dense.groups):
        words = np.empty(int(ends[-1]), np.uint64)
        words[places_in(ends - sizes, kept)] = hashes
        windows = np.lib.stride_tricks.sliding_window_view(words, _WORDS, writeable=True)
        windows[(ends - sizes)[dense.groups]] = dense.registers.view(np.uint64)
    return large_array(words, sizes)

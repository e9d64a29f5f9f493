"""Values at places of each group's values in order, without sorting rows.

Handed a grouping and a column of numbers or times; hands on values. Each value becomes an integer that compares as it does;
these are brought together a group, and only the integers are sorted: small groups many at a time, as rows of one matrix, of
large groups only as much as it takes to know the value at a place (a quickselect). What always holds: NaN is the greatest
number, and equal values are one (no -0.0).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.kernel.distinct_keys import array_of_integers
from flightmesh.kernel.group import Grouping
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.values import Array, Int64s, buffer_view, is_integer_like, pack_bits, validity
from flightmesh.kernel.within import LARGE, sort_small
from flightmesh.sketches.quantiles import ordered_keys, values_of_keys


class Selection:
    """The values of each group, as keys, together and as far in order as has been asked for."""

    def __init__(self, ids: Int64s, keys: Int64s, groups: int, type_: pa.DataType) -> None:
        self.counts: Int64s = np.bincount(ids, minlength=groups).astype(np.int64, copy=False)
        self._starts = np.cumsum(self.counts) - self.counts
        self._keys = keys.copy() if groups == 1 else keys[stable_order(ids, groups)]
        self._type = type_
        self._large = np.flatnonzero(self.counts > LARGE)
        sort_small(self._keys, self._starts, self.counts)

    def at(self, places: Sequence[Int64s]) -> list[Array]:
        """Of each group the values at these places, counted from 0; NULL for groups without values."""
        wanted = [np.clip(part, 0, np.maximum(self.counts - 1, 0)) for part in places]
        for group in self._large.tolist():
            start, size = int(self._starts[group]), int(self.counts[group])
            kth = sorted({int(part[group]) for part in wanted})
            self._keys[start : start + size].partition(kth)
        none = self.counts == 0
        if not len(self._keys):
            return [pa.nulls(len(self.counts), self._type) for _ in wanted]
        found = (self._keys[np.minimum(self._starts + part, len(self._keys) - 1)] for part in wanted)
        return [_values(keys, self._type, none) for keys in found]


def selection(grouping: Grouping, argument: Array) -> Selection | None:
    """The values that are not NULL of each group; None for types that are not made of 64 bits."""
    valid = validity(argument)
    ids = grouping.ids if valid is None else grouping.ids[valid]
    values = argument if valid is None else argument.filter(pack_bits(valid))
    keys = _keys(values)
    return None if keys is None else Selection(ids, keys, grouping.count, argument.type)


def _keys(values: Array) -> Int64s | None:
    type_ = values.type
    if pa.types.is_floating(type_):
        return ordered_keys(buffer_view(values.cast(pa.float64()), np.dtype("<f8")))
    simple = is_integer_like(type_) and not pa.types.is_interval(type_) and type_ != pa.uint64()
    if not simple and not pa.types.is_decimal128(type_):
        return None
    found = integer_values(values)
    return None if found is None or found[1] is not None else found[0]


def _values(keys: Int64s, type_: pa.DataType, none: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Array:
    mask = none if none.any() else None
    if pa.types.is_floating(type_):
        return pa.array(values_of_keys(keys), mask=mask).cast(type_)
    return array_of_integers(keys, type_, mask)

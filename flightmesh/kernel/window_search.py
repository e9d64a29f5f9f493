"""Where in a partition the values of its order's key begin or end, for frames that reach over a distance of values.

Handed the key of sorted rows and values to look for, of one type; hands on row numbers. What always holds: NULLs are found
only by rows whose own key is NULL, as their peers; NaN is the greatest number and finds itself.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.sort import sortable
from flightmesh.kernel.values import Array, Int64s, validity
from flightmesh.kernel.window_layout import Layout

NULL_DISTANCE = "a frame's distance is NULL"
_WIDEST = 1 << 62
_LEAST = np.int64(-(2**63))


class Place(enum.Enum):
    """Which row is looked for: the FIRST that is not before a value, or the one AFTER_LAST that is not after it."""

    FIRST = "first"
    AFTER_LAST = "after last"


class Search:
    """Looks for values among the keys of each row's partition."""

    def __init__(self, key: Array, edges: Sequence[Array], descending: bool, layout: Layout) -> None:
        self._layout = layout
        self._valid = validity(key)
        self._goes_round = pa.types.is_time(key.type)
        codes = _codes([key, *edges])
        if descending:
            codes = [~code for code in codes]
        self._codes = codes[0]
        self._edges = {id(edge): code for edge, code in zip(edges, codes[1:], strict=True)}
        partitions = layout.partitions
        first, last = partitions.starts, partitions.ends
        if self._valid is not None:
            nulls = np.add.reduceat((~self._valid).astype(np.int64), first)
            leading = ~self._valid[first]
            first, last = first + np.where(leading, nulls, 0), last - np.where(leading, 0, nulls)
        self._first, self._last = first, last

    def rows(self, edge: Array, sign: int, place: Place) -> Int64s:
        """For each row the row where its edge's value is; for NULL the place of the row's own peers. Raises DataError for a
        value that lies on the other side of the row's own than `sign` says."""
        targets, valid, known = self._edges[id(edge)], validity(edge), self._valid
        if valid is not None and (known is None or (known & ~valid).any()):
            raise DataError(NULL_DISTANCE)
        wrong = targets > self._codes if sign < 0 else targets < self._codes
        if self._goes_round:
            targets = np.where(wrong, _LEAST if sign < 0 else ~_LEAST, targets)  # past midnight there is no row
        elif (wrong if known is None else wrong & known).any():
            raise DataError("a frame's distance in values is below 0", hint="bounds of GROUPS and RANGE are 0 or more")
        found = self._found(targets, place)
        if known is None:
            return found
        peers = self._layout.peers
        own = (peers.starts if place is Place.FIRST else peers.ends)[peers.ids]
        return np.where(known, found, own)

    def _found(self, targets: Int64s, place: Place) -> Int64s:
        ids = self._layout.partitions.ids
        first, last = self._first[ids], self._last[ids]
        packed = self._packed(targets)
        if packed is None:
            return _bisected(self._codes, targets, first, last, place)
        codes, wanted = packed
        found: Int64s = codes.searchsorted(wanted, "left" if place is Place.FIRST else "right")
        return np.clip(found, first, last)

    def _packed(self, targets: Int64s) -> tuple[Int64s, Int64s] | None:
        """Keys and targets as numbers that ascend through all partitions; None where they do not fit."""
        ids, codes, valid = self._layout.partitions.ids, self._codes, self._valid
        some = codes if valid is None else codes[valid]
        if len(some) == 0:
            return None
        low, high = int(some.min()), int(some.max())
        width = high - low + 3
        if width * (int(ids[-1]) + 1) >= _WIDEST:
            return None
        base = ids * np.int64(width)
        placed = np.clip(codes, low, high) - low + 1
        if valid is not None:
            leading = ~valid[self._layout.partitions.starts]
            placed = np.where(valid, placed, np.where(leading[ids], 0, width - 1))
        # One past either end stands for all values beyond it.
        near = np.where(targets < low, 0, np.where(targets > high, width - 1, np.clip(targets, low, high) - low + 1))
        return base + placed, base + near


def _bisected(codes: Int64s, targets: Int64s, first: Int64s, last: Int64s, place: Place) -> Int64s:
    """All rows' searches side by side, each in its own range."""
    low, high = first.copy(), last.copy()
    before = np.less if place is Place.FIRST else np.less_equal
    while (low < high).any():
        middle = np.minimum((low + high) >> 1, len(codes) - 1)
        right = before(codes[middle], targets) & (low < high)
        low = np.where(right, middle + 1, low)
        high = np.where(right, high, np.minimum(high, np.maximum(middle, low)))
    return low


def _codes(arrays: Sequence[Array]) -> list[Int64s]:
    """The arrays, of one type, as numbers of the same order; under NULL anything."""
    plain = [sortable(array) for array in arrays]
    found = [integer_values(array) for array in plain]
    codes = [part[0] for part in found if part is not None and part[1] is None]
    if len(codes) == len(arrays):
        return [code ^ _LEAST for code in codes] if plain[0].type == pa.uint64() else codes
    together = pa.chunked_array(plain).combine_chunks()
    ranks = pc.rank(together, sort_keys="ascending", tiebreaker="dense").to_numpy().astype(np.int64)
    ends = np.cumsum([len(array) for array in arrays])
    return np.split(ranks, ends[:-1])

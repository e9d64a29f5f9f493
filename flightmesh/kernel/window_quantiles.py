"""Quantiles over frames.

Handed frames over rows that all have a value, and a fraction from -1 to 1; hands on one value a frame, by the rules of
`quantiles`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.kernel.quantiles import Number, between, share_of
from flightmesh.kernel.range_order import smallest
from flightmesh.kernel.values import Array, Int64s, Mask
from flightmesh.kernel.window_extremes import places
from flightmesh.kernel.window_frames import Frames


def discrete(frames: Frames, values: Array, sizes: Int64s, fraction: Number) -> Array:
    """The first value at or past the fraction."""
    number = np.maximum(share_of(sizes, -fraction if fraction < 0 else fraction), 1) - 1
    ordered = _Ordered(frames, values, sizes, fraction < 0)
    return ordered.values(ordered.rows(number, sizes > 0))


def continuous(frames: Frames, values: Array, sizes: Int64s, fraction: Number) -> Array:
    """The value at the fraction, between two where it falls there."""
    exact = np.maximum(sizes - 1, 0) * abs(float(fraction))
    low = np.floor(exact)
    ordered = _Ordered(frames, values, sizes, fraction < 0)
    first = ordered.rows(low.astype(np.int64), sizes > 0)
    second = first.copy()
    apart = exact > low
    second[apart] = ordered.rows(np.ceil(exact).astype(np.int64), apart)[apart]
    return between(ordered.values(first), ordered.values(second), exact - low)


class _Ordered:
    """The values of each frame in order."""

    def __init__(self, frames: Frames, values: Array, sizes: Int64s, descending: bool) -> None:
        self._frames, self._values, self._sizes = frames, values, sizes
        self._order, self._places = places(values, descending)

    def rows(self, number: Int64s, chosen: Mask) -> Int64s:
        """For each chosen frame the row of the value with this number, from 0; frames without rows are not chosen."""
        rows = np.zeros(len(number), np.int64)
        which = np.flatnonzero(chosen)
        spans = [(low[which], high[which]) for low, high in self._frames.spans]
        rows[which] = self._order[smallest(self._places, spans, number[which])]
        return rows

    def values(self, rows: Int64s) -> Array:
        """The values of these rows; NULL for empty frames."""
        if len(self._values) == 0:
            return pa.nulls(len(rows), self._values.type)
        return self._values.take(pa.array(rows, mask=self._sizes == 0))

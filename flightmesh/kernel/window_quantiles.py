"""Quantiles over frames.

Handed frames over rows that all have a value, and a fraction from -1 to 1; hands on one value a frame, by the rules of
`quantiles`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.kernel.quantiles import Number, between, share_of
from flightmesh.kernel.range_order import smallest
from flightmesh.kernel.values import Array, Int64s
from flightmesh.kernel.window_extremes import places
from flightmesh.kernel.window_frames import Frames


def discrete(frames: Frames, values: Array, sizes: Int64s, fraction: Number) -> Array:
    """The first value at or past the fraction."""
    number = np.maximum(share_of(sizes, -fraction if fraction < 0 else fraction), 1) - 1
    return _Ordered(frames, values, sizes, fraction < 0).at(number)


def continuous(frames: Frames, values: Array, sizes: Int64s, fraction: Number) -> Array:
    """The value at the fraction, between two where it falls there."""
    exact = np.maximum(sizes - 1, 0) * abs(float(fraction))
    low = np.floor(exact)
    ordered = _Ordered(frames, values, sizes, fraction < 0)
    return between(ordered.at(low.astype(np.int64)), ordered.at(np.ceil(exact).astype(np.int64)), exact - low)


class _Ordered:
    """The values of each frame in order."""

    def __init__(self, frames: Frames, values: Array, sizes: Int64s, descending: bool) -> None:
        self._frames, self._values, self._sizes = frames, values, sizes
        self._order, self._places = places(values, descending)

    def at(self, number: Int64s) -> Array:
        """The value with this number in each frame, from 0; NULL for empty frames."""
        filled = np.flatnonzero(self._sizes > 0)
        spans = [(low[filled], high[filled]) for low, high in self._frames.spans]
        rows = np.zeros(len(number), np.int64)
        rows[filled] = self._order[smallest(self._places, spans, number[filled])]
        if len(self._values) == 0:
            return pa.nulls(len(number), self._values.type)
        return self._values.take(pa.array(rows, mask=self._sizes == 0))

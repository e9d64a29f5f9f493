"""The first, last or n-th value of each frame in an order of its own, not that of the window.

Handed the frames of rows, the values, and the rows in that order; hands on one value a row. What always holds: a row that is
not there gives NULL.
"""

from __future__ import annotations

import numpy as np

from flightmesh.errors import InternalError
from flightmesh.kernel.range_order import smallest
from flightmesh.kernel.values import Array, Int64s, integers, validity
from flightmesh.kernel.window_frames import Frames
from flightmesh.kernel.window_values import taken


def ordered_value(function: str, frames: Frames, values: Array, order: Int64s, nth: Array | None) -> Array:
    """`first_value`, `last_value` or `nth_value`; `nth`: which, counted from 1."""
    sizes = frames.sizes()
    match function:
        case "first_value":
            number = np.zeros(frames.count, np.int64)
        case "last_value":
            number = sizes - 1
        case "nth_value" if nth is not None:
            number = integers(nth) - 1
        case _:
            raise InternalError(f"{function} takes no order of its own")
    there = (number >= 0) & (number < sizes)
    valid = None if nth is None else validity(nth)
    there = there if valid is None else there & valid
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    which = np.flatnonzero(there)
    rows = np.zeros(frames.count, np.int64)
    rows[which] = order[smallest(place, [(low[which], high[which]) for low, high in frames.spans], number[which])]
    return taken(values, rows, there)

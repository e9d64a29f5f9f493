"""Window functions that give the value of another row: lag and lead, and the first, last or n-th row of the frame.

Handed a layout or the frames, and columns in its order; hands on a column of the argument's values. What always holds: a row
that is not there gives NULL, or lag's and lead's default; so does an n below 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flightmesh.kernel.values import Array, Int64s, Mask, integers, validity
from flightmesh.kernel.window_layout import Layout, Ranges


def taken(values: Array, rows: Int64s, there: Mask) -> Array:
    """The values of these rows; NULL where none is there."""
    return values.take(pa.array(np.where(there, rows, 0), mask=None if there.all() else ~there))


def first_value(frames: Ranges, values: Array) -> Array:
    """Of each row's frame."""
    low, high = frames.by_row()
    return taken(values, low, low < high)


def last_value(frames: Ranges, values: Array) -> Array:
    """Of each row's frame."""
    low, high = frames.by_row()
    return taken(values, high - 1, low < high)


def nth_value(frames: Ranges, values: Array, nth: Array) -> Array:
    """Of each row's frame, counted from 1."""
    low, high = frames.by_row()
    number = integers(nth)
    there = (number >= 1) & (number <= high - low)
    valid = validity(nth)
    return taken(values, low + number - 1, there if valid is None else there & valid)


def shifted(function: str, layout: Layout, arguments: Sequence[Array]) -> Array:
    """`lag` or `lead` of (values, offset: 1 where not given, default)."""
    values = arguments[0]
    offset = np.ones(layout.rows, np.int64)
    valid: Mask | None = None
    if len(arguments) > 1:
        valid = validity(arguments[1])
        offset = np.clip(integers(arguments[1]), -layout.rows, layout.rows)
    rows = layout.numbers + (offset if function == "lead" else -offset)
    partitions = layout.partitions
    there = (rows >= partitions.starts[partitions.ids]) & (rows < partitions.ends[partitions.ids])
    found = taken(values, rows, there if valid is None else there & valid)
    if len(arguments) < 3:
        return found
    missing = ~there if valid is None else ~there & valid
    return pc.if_else(pa.array(missing), arguments[2], found)

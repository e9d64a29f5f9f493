"""Window functions that give the value of another row: lag and lead, and the first, last or n-th row of the frame.

Handed a layout or the frames, and columns in its order; hands on a column of the argument's values. What always holds: a row
that is not there gives NULL, or lag's and lead's default; so does an n below 1. Where NULLs are ignored, frames and shifts
count only rows with a value.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.kernel.values import Array, Int64s, Mask, integers, validity
from flightmesh.kernel.window_frames import Frames
from flightmesh.kernel.window_layout import Layout


class Nulls(enum.Enum):
    """Whether rows without a value count: RESPECTED, or IGNORED."""

    RESPECTED = "respected"
    IGNORED = "ignored"


def taken(values: Array, rows: Int64s, there: Mask) -> Array:
    """The values of these rows; NULL where none is there."""
    if len(values) == 0:
        return pa.nulls(len(rows), values.type)
    return values.take(pa.array(np.where(there, rows, 0), mask=None if there.all() else ~there))


def counted(frames: Frames, values: Array, nulls: Nulls) -> tuple[Frames, Array]:
    """The frames over the rows that count, and the values of those."""
    valid = validity(values) if nulls is Nulls.IGNORED else None
    if valid is None:
        return frames, values
    return frames.within(valid), values.take(pa.array(np.flatnonzero(valid)))


def nth_row(frames: Frames, number: Int64s) -> tuple[Int64s, Mask]:
    """The row at each frame's place `number`, counted from 0, and whether it has so many."""
    row = np.zeros(frames.count, np.int64)
    left = number.copy()
    found = np.zeros(frames.count, np.bool_)
    for low, high in frames.spans:
        size = high - low
        here = ~found & (left >= 0) & (left < size)
        row = np.where(here, low + left, row)
        found |= here
        left -= np.where(found, 0, size)
    return row, found


def first_value(frames: Frames, values: Array) -> Array:
    """Of each frame."""
    return taken(values, *nth_row(frames, np.zeros(frames.count, np.int64)))


def last_value(frames: Frames, values: Array) -> Array:
    """Of each frame."""
    return taken(values, *nth_row(frames, frames.sizes() - 1))


def nth_value(frames: Frames, values: Array, nth: Array) -> Array:
    """Of each row's frame, counted from 1."""
    row, found = nth_row(frames, integers(nth) - 1)
    valid = validity(nth)
    return taken(values, row, found if valid is None else found & valid)


def shifted(function: str, layout: Layout, arguments: Sequence[Array], nulls: Nulls) -> Array:
    """`lag` or `lead` of (values, offset: 1 where not given, default)."""
    values = arguments[0]
    offset = np.ones(layout.rows, np.int64)
    valid: Mask | None = None
    if len(arguments) > 1:
        valid = validity(arguments[1])
        offset = np.clip(integers(arguments[1]), -layout.rows, layout.rows)
    ahead = offset if function == "lead" else -offset
    rows, there = _neighbours(values, layout, ahead, nulls)
    found = taken(values, rows, there if valid is None else there & valid)
    if len(arguments) < 3:
        return found
    missing = ~there if valid is None else ~there & valid
    return pc.if_else(pa.array(missing), arguments[2], found)


def _neighbours(values: Array, layout: Layout, ahead: Int64s, nulls: Nulls) -> tuple[Int64s, Mask]:
    """The row so far ahead of each, and whether its partition has it."""
    partitions = layout.partitions
    first, last = partitions.starts[partitions.ids], partitions.ends[partitions.ids]
    valid = validity(values) if nulls is Nulls.IGNORED else None
    if valid is None:
        rows = layout.numbers + ahead
        return rows, (rows >= first) & (rows < last)
    before = np.zeros(layout.rows + 1, np.int64)
    np.cumsum(valid, out=before[1:])
    # A row itself counts even without a value, so going ahead starts after it and going back before it.
    place = np.where(ahead > 0, before[1:] + ahead - 1, before[:-1] + ahead)
    there = (ahead == 0) | ((place >= before[first]) & (place < before[last]))
    kept = np.flatnonzero(valid)
    found = kept[np.clip(place, 0, len(kept) - 1)] if len(kept) else np.zeros(layout.rows, np.int64)
    return np.where(ahead == 0, layout.numbers, found), there

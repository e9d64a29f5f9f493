"""The row with the least or the greatest value of each frame, by the place of each value in the order of all: one number,
whatever the type.

Handed frames over rows that all have a value; hands on rows, and whether there is one. What always holds: of equal values the
one of the first row is taken; frames that grow from their partition's start cost one pass.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.values import Array, Int64s, Mask
from flightmesh.kernel.window_folds import folded
from flightmesh.kernel.window_frames import Frames


def places(values: Array, descending: bool = False) -> tuple[Int64s, Int64s]:
    """(rows in the order of the values, each row's place in it); equal values in the order of their rows."""
    keys = [SortKey("value", descending)]
    order = np.asarray(sort_indices(pa.RecordBatch.from_arrays([values], ["value"]), keys)).astype(np.int64)
    found = np.empty(len(values), np.int64)
    found[order] = np.arange(len(values))
    return order, found


def extreme_rows(function: str, frames: Frames, values: Array) -> tuple[Int64s, Mask]:
    """For `min` or `max`."""
    rows = len(values)
    order, place = places(values, function == "max")
    grows = frames.running is not None and rows > 0
    best = _running(frames, place) if grows else folded(frames, place, np.minimum, rows)
    there = best < rows
    return (order[np.where(there, best, 0)] if rows else best), there


def _running(frames: Frames, place: Int64s) -> Int64s:
    """The least place from each partition's start on: partitions are put one below the other, so that each begins anew."""
    rows = len(place)
    assert frames.running is not None
    base = -frames.running * np.int64(rows + 1)
    least = np.minimum.accumulate(base + place) - base
    ((low, high),) = frames.spans
    return np.where(low < high, least[np.maximum(high - 1, 0)], rows)

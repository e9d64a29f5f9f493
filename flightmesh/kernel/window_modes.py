"""Frequencies in frames that grow from their partition's start: the most frequent value, and the entropy.

Handed such frames over rows that all have a value; hands on one value a frame. The count of a value grows by one with each of
its rows: so the most frequent value is the one that has reached the highest count so far, and what counts add to an entropy is
a running total. What always holds: of equally frequent values the smallest is taken.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.kernel.group import group_rows
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.values import Array, Int64s
from flightmesh.kernel.window_extremes import places
from flightmesh.kernel.window_frames import Frames
from flightmesh.kernel.window_values import taken

_WIDEST = 1 << 62
_NOTHING = 1e-12


def running_modes(frames: Frames, values: Array) -> Array | None:
    """The mode of each frame, NULL for empty ones; None where the numbers of rows do not allow it."""
    rows, partitions = len(values), frames.running
    if partitions is None or rows == 0:
        return None
    seen = _occurrence(values, partitions)
    order, place = places(values)
    same = group_rows([values], rows).ids
    lowest = np.zeros(rows, np.int64)
    lowest[same[order[::-1]]] = place[order[::-1]]  # the last write stays: each value's first place
    width = int(seen.max() + 1) * (rows + 1)
    if width * (int(partitions[-1]) + 1) >= _WIDEST:
        return None
    base = partitions * np.int64(width)
    best = np.maximum.accumulate(base + seen * np.int64(rows + 1) + (rows - lowest[same])) - base
    ((low, high),) = frames.spans
    there = low < high
    return taken(values, order[rows - best[np.where(there, high - 1, 0)] % (rows + 1)], there)


def running_entropies(frames: Frames, values: Array) -> Array | None:
    """Shannon's entropy of each frame in bits, NULL for empty ones; None for no rows at all."""
    partitions = frames.running
    if partitions is None or len(values) == 0:
        return None
    seen = _occurrence(values, partitions).astype(np.float64)
    less = seen - 1.0
    grown = seen * np.log2(seen) - less * np.log2(np.maximum(less, 1.0))
    totals = np.zeros(len(values) + 1)
    np.cumsum(grown, out=totals[1:])
    ((low, high),) = frames.spans
    rows = np.maximum(high - low, 1)
    # Equal values leave nothing but what rounding makes of it.
    entropy = np.maximum(np.log2(rows) - (totals[high] - totals[low]) / rows, 0.0)
    return pa.array(np.where(entropy < _NOTHING, 0.0, entropy), mask=low == high)


def _occurrence(values: Array, partitions: Int64s) -> Int64s:
    """How many rows of the partition have had the row's value, it included."""
    grouping = group_rows([pa.array(partitions), values], len(values))
    order = stable_order(grouping.ids, grouping.count)
    counts = np.bincount(grouping.ids, minlength=grouping.count)
    starts = np.cumsum(counts) - counts
    found = np.empty(len(values), np.int64)
    found[order] = np.arange(len(values)) - starts[grouping.ids[order]] + 1
    return found

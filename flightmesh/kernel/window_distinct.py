"""Distinct values of frames: how many there are, and which rows bring a value for the first time.

Handed frames over rows that all have a value, and the values; hands on counts or a mask. What always holds: NaNs are one
value, and -0.0 is that of 0.0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.kernel.group import Grouping, group_rows
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.range_order import count_below
from flightmesh.kernel.values import Array, Int64s, Mask
from flightmesh.kernel.window_frames import Frames


def first_of_each(values: Sequence[Array], partitions: Int64s) -> Mask:
    """Whether each row is the first of its partition with its values: in a frame from the partition's start on, all of those
    are the distinct values."""
    return _previous(group_rows([pa.array(partitions), *values], len(partitions))) < 0


def distinct_counts(frames: Frames, values: Sequence[Array]) -> Int64s:
    """The number of distinct values of each frame, which is one range: of its rows those whose value was last seen before
    it."""
    ((low, high),) = frames.spans
    before = _previous(group_rows(values, len(values[0]))) + 1
    return count_below(before, low, high, low + 1)


def _previous(grouping: Grouping) -> Int64s:
    """The row before each of the same group; -1 where there is none."""
    rows = len(grouping.ids)
    order = stable_order(grouping.ids, max(grouping.count, 1))
    same = grouping.ids[order[1:]] == grouping.ids[order[:-1]]
    found = np.full(rows, -1, np.int64)
    found[order[1:][same]] = order[:-1][same]
    return found

"""Ranges of an integer key, for rows that come about in its order: then few batches have rows of more than one or two ranges.

Handed the key column of every batch; hands on ranges that cut what all of them span into equal parts, and the rows of a batch
by their range. What always holds: rows with equal keys are in one range, and keep their order there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.kernel.key_filter import is_ordered
from flightmesh.kernel.partition import split_by_bucket
from flightmesh.kernel.values import Array, stored_integers

MOST_RANGES = 256
NARROW = 4
"""A batch is narrow where it spans at most a part in so many of what all span together."""
SLICE_ROWS = 1024
"""Rows are handed on as slices, not copied, where these have so many on average."""


@dataclass(frozen=True, slots=True)
class KeyRanges:
    """Key `k` is in range `(k - low) >> shift`, below `count`."""

    low: int
    shift: int
    count: int

    def split(self, batch: pa.RecordBatch, key: Array) -> list[tuple[int, pa.RecordBatch]]:
        """The rows of a batch as (range, rows) pairs; a range may come several times, its rows in order."""
        numbers = self._numbers(key)
        ends = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
        if len(ends) * SLICE_ROWS > len(numbers):
            return split_by_bucket(batch, numbers, self.count)
        starts, stops = [0, *ends.tolist()], [*ends.tolist(), len(numbers)]
        return [(int(numbers[a]), batch.slice(a, b - a)) for a, b in zip(starts, stops, strict=True)]

    def _numbers(self, key: Array) -> npt.NDArray[np.uint8]:
        offsets = np.subtract(stored_integers(key), np.int64(self.low), dtype=np.int64)
        return (offsets.view(np.uint64) >> np.uint64(self.shift)).astype(np.uint8)


def clustered_ranges(keys: Sequence[Array], wanted: int) -> KeyRanges | None:
    """At most `wanted` ranges (2 to 256) for these columns of one type, none of them empty; None where the keys are no
    integers, or NULL occurs, or most rows are in batches that have keys from all over."""
    if not is_ordered(keys[0].type) or any(key.null_count for key in keys):
        return None
    bounds = [(int(values.min()), int(values.max())) for values in map(stored_integers, keys)]
    low, high = min(first for first, _ in bounds), max(last for _, last in bounds)
    narrow = sum(len(key) for key, (a, b) in zip(keys, bounds, strict=True) if (b - a) * NARROW <= high - low)
    if 2 * narrow < sum(map(len, keys)):
        return None
    shift = min(63, max(0, (high - low).bit_length() - min(wanted, MOST_RANGES).bit_length() + 1))
    return KeyRanges(low, shift, ((high - low) >> shift) + 1)

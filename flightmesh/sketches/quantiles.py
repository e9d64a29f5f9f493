"""The form of a sketch of the order of values, and the quantiles that it says there are.

A sketch is a histogram: how many values there are in each bucket, a bucket being the numbers that agree in all but their last
`shift` bits as doubles. So a bucket is as wide as its numbers are large, as in DDSketch (Masson, Rim, Lee 2019); where there
are more than `MOST_BUCKETS` of them a greater shift merges pairs of neighbours (as in UDDSketch: Epicoco et al. 2020), until
there are not. Up to so many distinct values are therefore kept as they are, and quantiles are exact. Beyond that a quantile is
off by less than its bucket's width: 2 * b / 1024 of the value at most, when the values lie in b powers of two; inside a bucket
values are taken to be spread evenly. The least and the greatest value are always exact.

Handed sketches as binary values; hands on doubles. What always holds: a sketch depends on the values alone, in whatever order
and by whatever ways they were brought together. Words of a sketch, eight bytes each: the shift, the least key, the greatest
key, the buckets in ascending order, their counts. A key is a double's bits as an integer that compares as the double does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.errors import DataError
from flightmesh.sketches.ragged import Int64s, large_offsets, large_values, places_in, row_of_each

MOST_BUCKETS = 1 << 10
"""Buckets of one sketch."""
HEAD = 3
"""Words before the buckets."""

_REST = np.int64(0x7FFFFFFFFFFFFFFF)


def ordered_keys(values: npt.NDArray[np.float64]) -> Int64s:
    """Integers that compare as the doubles do: with one zero and one NaN, the greatest of all."""
    values = values + 0.0
    values[np.isnan(values)] = np.nan
    bits = values.view(np.int64)
    return bits ^ ((bits >> 63) & _REST)


def values_of_keys(keys: Int64s) -> npt.NDArray[np.float64]:
    """The doubles of such integers."""
    return (keys ^ ((keys >> 63) & _REST)).view(np.float64)


def quantiles_of_sketches(sketches: pa.Array, fraction: float) -> pa.Array:
    """The value at `fraction` (0 to 1) of the values that each sketch has seen; NULL where it has seen none."""
    words, starts, lengths = large_values(sketches)
    sizes = (lengths - HEAD) // 2
    seen = lengths > 0
    partial = len(sketches) > 0 and int(large_offsets(sketches)[-1]) % 8 != 0
    if partial or (seen & ((sizes < 1) | (lengths != HEAD + 2 * sizes))).any():
        raise DataError("this is no sketch of values in order")
    rows = np.flatnonzero(seen)
    starts, sizes = starts[rows], sizes[rows]
    counts = words[places_in(starts + HEAD + sizes, sizes)]
    ends = np.cumsum(counts)
    row = row_of_each(sizes)
    totals = np.bincount(row, weights=counts, minlength=len(rows)).astype(np.int64)
    before = np.cumsum(totals) - totals
    wanted = np.maximum(np.ceil(totals * fraction - 1e-9), 1).astype(np.int64)
    found = np.searchsorted(ends, before + wanted)
    inside = (before + wanted - ends[found] + counts[found] - 0.5) / np.maximum(counts[found], 1)
    bucket = words[places_in(starts + HEAD, sizes)][found]
    shift, least, greatest = (words[starts + n] for n in range(HEAD))
    low = np.maximum(bucket << shift, least)
    high = np.minimum((bucket << shift) + ((np.int64(1) << shift) - 1), greatest)
    keys = low + ((high - low) * inside).astype(np.int64)
    keys = np.where(wanted == 1, least, np.where(wanted == totals, greatest, keys))
    result = np.zeros(len(sketches))
    result[rows] = values_of_keys(keys)
    return pa.array(result, mask=~seen)

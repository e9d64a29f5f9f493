"""Order statistics of many ranges of one array at a time: the k-th smallest value, and how many values are below a bound.

Handed distinct or equal non-negative integers and ranges; hands on one number a range. The integers are split bit by bit,
from the highest down, into those with a 0 and those with a 1, each part in the old order: a range stays a range in either
part, so each bit costs a look-up at both ends of it (a wavelet matrix, never held whole). What always holds: the work is rows
and ranges times bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from flightmesh.kernel.values import Int64s, Mask


def smallest(values: Int64s, spans: Sequence[tuple[Int64s, Int64s]], nth: Int64s) -> Int64s:
    """For each frame, which is one or more ranges, its value number `nth` in ascending order, from 0; `nth` lies within it."""
    spans, nth = list(spans), nth.copy()
    found = np.zeros(len(nth), np.int64)
    for bit, zeros, zero_count in _levels(values):
        ends = [(zeros[low], zeros[high]) for low, high in spans]
        smaller = sum((high - low for low, high in ends), np.zeros(len(nth), np.int64))
        ones: Mask = nth >= smaller
        nth -= np.where(ones, smaller, 0)
        found |= ones.astype(np.int64) << bit
        spans = [
            (np.where(ones, zero_count + low - z_low, z_low), np.where(ones, zero_count + high - z_high, z_high))
            for (low, high), (z_low, z_high) in zip(spans, ends, strict=True)
        ]
    return found


def count_below(values: Int64s, low: Int64s, high: Int64s, bound: Int64s) -> Int64s:
    """How many of values[low:high] are below `bound`, for each range."""
    beyond = bound > (int(values.max()) if len(values) else -1)
    found = np.where(beyond, high - low, 0)
    for bit, zeros, zero_count in _levels(values):
        z_low, z_high = zeros[low], zeros[high]
        ones = (bound >> bit) & 1 == 1
        found += np.where(ones & ~beyond, z_high - z_low, 0)
        low = np.where(ones, zero_count + low - z_low, z_low)
        high = np.where(ones, zero_count + high - z_high, z_high)
    return found


def _levels(values: Int64s) -> Iterator[tuple[int, Int64s, int]]:
    """For each bit, highest first: the zeros before each place, and how many there are in all."""
    bits = int(values.max()).bit_length() if len(values) else 0
    for bit in range(bits - 1, -1, -1):
        one = (values >> bit) & 1 == 1
        zeros = np.zeros(len(values) + 1, np.int64)
        np.cumsum(~one, out=zeros[1:])
        yield bit, zeros, int(zeros[-1])
        values = np.concatenate((values[~one], values[one]))

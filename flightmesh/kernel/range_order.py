"""Order statistics of many ranges of one array at a time: the k-th smallest value, and how many values are below a bound.

Handed distinct or equal non-negative integers and ranges; hands on one number a range. The integers are split bit by bit,
from the highest down, into those with a 0 and those with a 1, each part in the old order: a range stays a range in either
part, so each bit costs a look-up at both ends of it (a wavelet matrix, never held whole). What always holds: the work is rows
and ranges times bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from flightmesh.kernel.values import Int64s, Mask


def smallest(values: Int64s, spans: Sequence[tuple[Int64s, Int64s]], nth: Int64s) -> Int64s:
    """For each frame, which is one or more ranges, its value number `nth` in ascending order, from 0; `nth` lies within it."""
    narrow = _narrow(len(values))
    edges = [(low.astype(narrow), high.astype(narrow)) for low, high in spans]
    left, found = nth.astype(narrow), np.zeros(len(nth), narrow)
    for bit, zeros, zero_count in _levels(values.astype(narrow)):
        ends = [(zeros[low], zeros[high]) for low, high in edges]
        smaller = ends[0][1] - ends[0][0]
        for low, high in ends[1:]:
            smaller = smaller + (high - low)
        ones: Mask = left >= smaller
        left -= smaller * ones
        found |= ones.astype(narrow) << narrow(bit)
        # What has a one stands behind all zeros, as many places on as it had ones before it.
        edges = [
            (np.where(ones, zero_count + low - z_low, z_low), np.where(ones, zero_count + high - z_high, z_high))
            for (low, high), (z_low, z_high) in zip(edges, ends, strict=True)
        ]
    return found.astype(np.int64)


def count_below(values: Int64s, low: Int64s, high: Int64s, bound: Int64s) -> Int64s:
    """How many of values[low:high] are below `bound`, for each range."""
    narrow = _narrow(len(values))
    beyond = bound > (int(values.max()) if len(values) else -1)
    found = np.where(beyond, high - low, 0)
    low, high, bound = low.astype(narrow), high.astype(narrow), bound.astype(narrow)
    for bit, zeros, zero_count in _levels(values.astype(narrow)):
        z_low, z_high = zeros[low], zeros[high]
        ones = (bound >> narrow(bit)) & 1 == 1
        found += np.where(ones & ~beyond, z_high - z_low, 0)
        low = np.where(ones, zero_count + low - z_low, z_low)
        high = np.where(ones, zero_count + high - z_high, z_high)
    return found


def _narrow(rows: int) -> type[np.signedinteger[Any]]:
    """Numbers of rows take half the memory where there are not too many of them."""
    return np.int32 if rows < 1 << 30 else np.int64


def _levels(values: npt.NDArray[Any]) -> Iterator[tuple[int, npt.NDArray[Any], Any]]:
    """For each bit, highest first: the zeros before each place, and how many there are in all."""
    bits = int(values.max()).bit_length() if len(values) else 0
    for bit in range(bits - 1, -1, -1):
        one = (values >> values.dtype.type(bit)) & 1 == 1
        zeros = np.zeros(len(values) + 1, values.dtype)
        np.cumsum(~one, out=zeros[1:])
        yield bit, zeros, zeros[-1]
        values = np.concatenate((values[~one], values[one]))

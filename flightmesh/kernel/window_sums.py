"""Sums over frames: exact ones by running totals, those of floats by what the frame itself holds.

Handed frames over rows that all have a value; hands on one sum a frame. What always holds: integer and decimal sums are exact
and raise DataError past 38 digits; an infinity before a frame does not reach into it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.kernel.decimals import decimal_limbs, decimals_from_int64, decimals_from_limbs
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.values import Array, Int64s, Mask, Words, buffer_view, decimal_words
from flightmesh.kernel.window_folds import folded
from flightmesh.kernel.window_frames import Frames

_EXACT_INT = 1 << 63
_FEW_PARTITIONS = 64
_LONG_PARTITIONS = 256


def sums(frames: Frames, argument: Array, null: Mask, result: pa.DataType) -> Array:
    """The sum of each frame, NULL where `null`."""
    if pa.types.is_floating(argument.type):
        return pa.array(_floats(frames, buffer_view(argument.cast(pa.float64()), np.dtype("<f8"))), mask=null)
    if pa.types.is_null(argument.type):
        return pa.nulls(frames.count, result)
    found = integer_values(argument)
    if found is None:
        raise InternalError(f"cannot add up values of type {argument.type}")
    values, too_wide = found
    if too_wide is None and argument.type != pa.uint64() and _largest(values) * len(values) < _EXACT_INT:
        return decimals_from_int64(differences(frames, values), result, null)
    low, high = _words(argument)
    a, b, c, d = (differences(frames, limb) for limb in decimal_limbs(low, high))
    return decimals_from_limbs((a, b, c, d), result, null)


def differences(frames: Frames, values: npt.NDArray[Any]) -> Int64s:
    """The sum of each frame by running totals, for sums that cannot wrap."""
    totals = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=totals[1:])
    found = np.zeros(frames.count, np.int64)
    for low, high in frames.spans:
        found += totals[high] - totals[low]
    return found


def _floats(frames: Frames, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    totals = _running(frames, values)
    if totals is None:
        return folded(frames, values, np.add, 0.0)
    ((low, high),) = frames.spans
    return np.where(low < high, totals[np.maximum(high - 1, 0)], 0.0)


def _running(frames: Frames, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """The total of each row's partition up to it, where frames are that; None for many short partitions."""
    if frames.running is None or len(values) == 0:
        return None
    starts = [0, *(np.flatnonzero(np.diff(frames.running)) + 1).tolist(), len(values)]
    if len(starts) - 1 > max(_FEW_PARTITIONS, len(values) // _LONG_PARTITIONS):
        return None
    totals = np.empty(len(values))
    with np.errstate(all="ignore"):
        for start, end in pairwise(starts):
            np.cumsum(values[start:end], out=totals[start:end])
    return totals


def _largest(values: Int64s) -> int:
    return max(int(values.max()), -int(values.min())) if len(values) else 0


def _words(argument: Array) -> tuple[Words, Words]:
    """The two words of each value as a 128-bit integer."""
    if pa.types.is_decimal128(argument.type):
        return decimal_words(argument)
    found = integer_values(argument)
    if found is None:
        raise InternalError(f"cannot add up values of type {argument.type}")
    values = found[0]
    low = values.view(np.uint64)
    return low, np.zeros_like(low) if argument.type == pa.uint64() else (values >> 63).view(np.uint64)

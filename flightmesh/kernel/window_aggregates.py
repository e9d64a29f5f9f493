"""Aggregates over frames: counts and exact sums by running totals, floats and extremes by folding ranges.

Handed the frames and the argument in the layout's order; hands on one value a row. What always holds: NULLs count for nothing,
and a frame without values gives NULL (0 for counts); integer and decimal sums are exact and raise DataError past 38 digits; in
min and max NaN is the greatest number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.kernel.decimals import decimal_limbs, decimals_from_int64, decimals_from_limbs
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.range_folds import fold_ranges
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.values import Array, Int64s, Mask, Words, buffer_view, decimal_words, validity
from flightmesh.kernel.window_layout import Ranges
from flightmesh.kernel.window_values import taken

_EXACT_INT = 1 << 63


def window_aggregate(function: str, frames: Ranges, argument: Array | None, result: pa.DataType) -> Array:
    """The aggregate of each row's frame."""
    by_range = _aggregate(function, frames, argument, result)
    return by_range if frames.of_row is None else by_range.take(pa.array(frames.of_row))


def _aggregate(function: str, frames: Ranges, argument: Array | None, result: pa.DataType) -> Array:
    if argument is None:
        return pa.array(frames.high - frames.low)
    valid = validity(argument)
    counts = _counts(frames, argument, valid)
    match function:
        case "count":
            return pa.array(counts)
        case "sum":
            return _sum(frames, argument, valid, counts == 0, result)
        case "min" | "max":
            return _extreme(function, frames, argument, valid)
        case _:
            raise InternalError(f"there is no window kernel named {function}")


def _counts(frames: Ranges, argument: Array, valid: Mask | None) -> Int64s:
    if pa.types.is_null(argument.type):
        return np.zeros(len(frames.low), np.int64)
    return frames.high - frames.low if valid is None else _difference(frames, valid)


def _difference(frames: Ranges, values: npt.NDArray[Any]) -> Int64s:
    """The sum of each range by running totals, for sums that cannot wrap."""
    totals = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=totals[1:])
    return np.subtract(totals[frames.high], totals[frames.low])


def _sum(frames: Ranges, argument: Array, valid: Mask | None, null: Mask, result: pa.DataType) -> Array:
    if pa.types.is_floating(argument.type):
        values = buffer_view(argument.cast(pa.float64()), np.dtype("<f8"))
        values = values if valid is None else np.where(valid, values, 0.0)
        return pa.array(fold_ranges(values, frames.low, frames.high, np.add, 0.0), mask=null)
    found = integer_values(argument)
    if found is None:
        raise InternalError(f"cannot add up values of type {argument.type}")
    values, too_wide = found
    values = values if valid is None else np.where(valid, values, 0)
    if too_wide is None and argument.type != pa.uint64() and _largest(values) * len(values) < _EXACT_INT:
        return decimals_from_int64(_difference(frames, values), result, null)
    low, high = _words(argument)
    if valid is not None:
        low, high = np.where(valid, low, np.uint64(0)), np.where(valid, high, np.uint64(0))
    a, b, c, d = (_difference(frames, limb) for limb in decimal_limbs(low, high))
    return decimals_from_limbs((a, b, c, d), result, null)


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


def _extreme(function: str, frames: Ranges, argument: Array, valid: Mask | None) -> Array:
    """By the place of each value in the order of all: one number, whatever the type."""
    rows = len(argument)
    order = np.asarray(sort_indices(pa.RecordBatch.from_arrays([argument], ["value"]), [SortKey("value")])).astype(np.int64)
    places = np.empty(rows, np.int64)
    places[order] = np.arange(rows)
    nothing = rows if function == "min" else -1
    if pa.types.is_null(argument.type):
        places[:] = nothing
    elif valid is not None:
        places[~valid] = nothing
    best = fold_ranges(places, frames.low, frames.high, np.minimum if function == "min" else np.maximum, nothing)
    there = best != nothing
    return taken(argument, order[np.where(there, best, 0)], there)

"""Aggregates over frames: counts and exact sums by running totals, floats and extremes by folding ranges, quantiles by order.

Handed the frames and the arguments in the layout's order; hands on one value a row. What always holds: NULLs count for
nothing, but to first and last, and a frame without values gives NULL (0 for counts); integer and decimal sums are exact and
raise DataError past 38 digits; in min and max NaN is the greatest number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.kernel.values import Array, Int64s, Mask, buffer_view, integers, unpack_bits, validity
from flightmesh.kernel.window_extremes import extreme_rows
from flightmesh.kernel.window_folds import folded, higher, products, spread_out
from flightmesh.kernel.window_frames import Frames
from flightmesh.kernel.window_quantiles import continuous, discrete
from flightmesh.kernel.window_sums import differences, sums
from flightmesh.kernel.window_values import first_value, last_value, taken

FRAME_KERNELS = frozenset(
    {"count_star", "count", "sum", "min", "max", "any_value", "first", "last", "bool_and", "bool_or", "bit_and", "bit_or"}
    | {
        "bit_xor",
        "product",
        "arg_min",
        "arg_max",
        "mean",
        "squares",
        "cubes",
        "fourths",
        "products",
        "careful_sum",
        "quantile_cont",
        "quantile_disc",
    }
)
"""The aggregates that are computed of frames here; for others the rows of each frame are brought together."""

_SEES_NULLS = frozenset({"first", "last"})


def window_aggregate(
    function: str, frames: Frames, arguments: Sequence[Array], result: pa.DataType, constant: Any = None
) -> Array:
    """The aggregate of each row's frame."""
    frames, columns = with_values(function, frames, arguments)
    by_frame = _aggregate(function, frames, columns, result, constant)
    return by_frame if frames.of_row is None else by_frame.take(pa.array(frames.of_row))


def with_values(function: str, frames: Frames, arguments: Sequence[Array]) -> tuple[Frames, list[Array]]:
    """The frames over the rows that count for the aggregate, and the arguments in those."""
    if function in _SEES_NULLS or not arguments:
        return frames, list(arguments)
    # A value beside a key (arg_min) may be NULL, the partners of a product are NULL together.
    valid = validity(arguments[-1])
    if valid is None:
        return frames, list(arguments)
    rows = pa.array(np.flatnonzero(valid))
    return frames.within(valid), [argument.take(rows) for argument in arguments]


def _aggregate(function: str, frames: Frames, arguments: list[Array], result: pa.DataType, constant: Any) -> Array:
    sizes = frames.sizes()
    if function in ("count", "count_star"):
        return pa.array(sizes)
    values, null = arguments[0], sizes == 0
    match function:
        case "sum":
            return sums(frames, values, null, result)
        case "min" | "max":
            return taken(values, *extreme_rows(function, frames, values))
        case "arg_min" | "arg_max":
            return taken(values, *extreme_rows(function.removeprefix("arg_"), frames, arguments[1]))
        case "any_value" | "first":
            return first_value(frames, values)
        case "last":
            return last_value(frames, values)
        case "bool_and" | "bool_or":
            return _all_or_any(function, frames, unpack_bits(values), sizes)
        case "bit_and" | "bit_or" | "bit_xor":
            return _bits(function, frames, values, null)
        case "product":
            return pa.array(folded(frames, _doubles(values), np.multiply, 1.0), mask=null)
        case "mean" | "squares":
            return spread_out(function, frames, _doubles(values), null)
        case "cubes" | "fourths":
            return higher(function, frames, _doubles(values), null)
        case "careful_sum":
            return pa.array(folded(frames, _doubles(values), np.add, 0.0), mask=null)
        case "products":
            return products(frames, _doubles(values), _doubles(arguments[1]), null)
        case "quantile_disc":
            return discrete(frames, values, sizes, constant)
        case "quantile_cont":
            return continuous(frames, values, sizes, constant)
        case _:
            raise InternalError(f"there is no window kernel named {function}")


def _all_or_any(function: str, frames: Frames, values: Mask, sizes: Int64s) -> Array:
    true = differences(frames, values)
    return pa.array(true == sizes if function == "bool_and" else true > 0, mask=sizes == 0)


def _bits(function: str, frames: Frames, argument: Array, null: Mask) -> Array:
    values = integers(argument)
    if function == "bit_xor":
        found = np.zeros(frames.count, np.int64)
        totals = np.zeros(len(values) + 1, np.int64)
        np.bitwise_xor.accumulate(values, out=totals[1:])
        for low, high in frames.spans:
            found ^= totals[low] ^ totals[high]
    elif function == "bit_or":
        found = folded(frames, values, np.bitwise_or, 0)
    else:
        found = folded(frames, values, np.bitwise_and, -1)
    narrow = found.astype(argument.type.to_pandas_dtype())  # from a 64-bit view of the same bits
    return pa.array(narrow, argument.type, mask=null)


def _doubles(values: Array) -> npt.NDArray[np.float64]:
    return buffer_view(values.cast(pa.float64()), np.dtype("<f8"))

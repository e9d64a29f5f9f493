"""Aggregates over frames by folding: products and bits, and means with the squares and products about them.

Handed frames over rows that all have a value, and numbers; hands on one value a frame. What always holds: spreads do not
suffer from a mean that is large beside the deviations (parts are merged about their own means, after Chan, Golub and
LeVeque), and equal values have exactly none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.errors import DataError
from flightmesh.kernel.range_folds import State, fold_states
from flightmesh.kernel.values import Array, Mask
from flightmesh.kernel.window_frames import Frames

Floats = npt.NDArray[np.float64]


def folded(frames: Frames, values: npt.NDArray[Any], combine: np.ufunc, identity: Any) -> npt.NDArray[Any]:
    """`combine` of each frame's values; `identity` for empty ones."""
    with np.errstate(all="ignore"):
        return _fold(frames, (values,), lambda a, b: (combine(a[0], b[0]),), (identity,))[0]


def spread_out(function: str, frames: Frames, values: Floats, null: Mask) -> Array:
    """`mean`, or `squares`: the sum of squared distances from it, which raises DataError where it is no finite number."""
    ones = np.ones(len(values))
    with np.errstate(all="ignore"):
        _, mean, squares = _fold(frames, (ones, values, np.zeros(len(values))), _merge_squares, (0.0, 0.0, 0.0))
    if function == "mean":
        return pa.array(mean, mask=null)
    if not np.isfinite(squares).all():
        raise DataError("a variance is out of range", hint="leave out NaN, infinity and values of more than 1e154")
    return pa.array(squares, mask=null)


def products(frames: Frames, left: Floats, right: Floats, null: Mask) -> Array:
    """The sum of products of the distances of two columns from their means."""
    start = (np.ones(len(left)), left, right, np.zeros(len(left)))
    with np.errstate(all="ignore"):
        return pa.array(_fold(frames, start, _merge_products, (0.0, 0.0, 0.0, 0.0))[3], mask=null)


def higher(function: str, frames: Frames, values: Floats, null: Mask) -> Array:
    """`cubes` or `fourths`: the sum of third or fourth powers of the distances from the mean."""
    zero = np.zeros(len(values))
    with np.errstate(all="ignore"):
        found = _fold(frames, (np.ones(len(values)), values, zero, zero, zero), _merge_powers, (0.0,) * 5)
    return pa.array(found[3 if function == "cubes" else 4], mask=null)


def _fold(frames: Frames, values: State, combine: Callable[[State, State], State], identity: tuple[Any, ...]) -> State:
    low, high = (np.concatenate(edges) for edges in zip(*frames.spans, strict=True))
    by_span = fold_states(values, low, high, combine, identity)
    count = frames.count
    total = tuple(part[:count] for part in by_span)
    for number in range(1, len(frames.spans)):
        total = combine(total, tuple(part[number * count : (number + 1) * count] for part in by_span))
    return total


def _merge_squares(a: State, b: State) -> State:
    count = a[0] + b[0]
    apart, share = b[1] - a[1], b[0] / np.maximum(count, 1.0)
    # Multiplied by the counts first: beside an empty part even a square that is too large is none.
    return count, a[1] + apart * share, a[2] + b[2] + (apart * a[0]) * (apart * share)


def _merge_products(a: State, b: State) -> State:
    count = a[0] + b[0]
    x, y, share = b[1] - a[1], b[2] - a[2], b[0] / np.maximum(count, 1.0)
    return count, a[1] + x * share, a[2] + y * share, a[3] + b[3] + (x * a[0]) * (y * share)


def _merge_powers(a: State, b: State) -> State:
    count = a[0] + b[0]
    apart, most = b[1] - a[1], np.maximum(count, 1.0)
    left, right = a[0] / most, b[0] / most
    square = (apart * a[0]) * (apart * right)
    cube = a[3] + b[3] + square * apart * (left - right) + 3.0 * apart * (left * b[2] - right * a[2])
    fourth = a[4] + b[4] + square * apart * apart * (left * left - left * right + right * right)
    fourth += 6.0 * apart * apart * (left * left * b[2] + right * right * a[2]) + 4.0 * apart * (left * b[3] - right * a[3])
    return count, a[1] + apart * right, a[2] + b[2] + square, cube, fourth

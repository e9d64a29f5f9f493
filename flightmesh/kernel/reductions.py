"""Reductions of groups by an operation that has neither order nor inverse: bits, products.

Handed a grouping and a column; hands on one value a group. What always holds: NULLs count for nothing, and a group without
values gives NULL.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.kernel.group import Grouping
from flightmesh.kernel.radix import stable_order
from flightmesh.kernel.values import Array, Int64s, buffer_view, integers, validity

_BITS = {"bit_and": np.bitwise_and, "bit_or": np.bitwise_or, "bit_xor": np.bitwise_xor}


def bits_of(function: str, grouping: Grouping, argument: Array) -> Array:
    """`bit_and`, `bit_or` or `bit_xor` of integers, as their type."""
    reduced, null = _reduced(_BITS[function], grouping, integers(argument), argument)
    narrow = reduced.astype(argument.type.to_pandas_dtype())  # from a 64-bit view of the same bits
    return pa.array(narrow, argument.type, mask=null)


def product_of(grouping: Grouping, argument: Array) -> Array:
    """The product of doubles."""
    values = buffer_view(argument.cast(pa.float64()), np.dtype("<f8"))
    with np.errstate(all="ignore"):
        reduced, null = _reduced(np.multiply, grouping, values, argument)
    return pa.array(reduced, mask=null)


def careful_sums(grouping: Grouping, argument: Array) -> Array:
    """The sum of doubles. Each is cut in two: of the upper parts, multiples of one power of two, no sum is ever rounded."""
    valid = validity(argument)
    values = buffer_view(argument.cast(pa.float64()), np.dtype("<f8"))
    ids = grouping.ids
    if valid is not None:
        ids, values = ids[valid], values[valid]
    with np.errstate(all="ignore"):
        cut = np.float64(3 * 2.0 ** math.frexp(float(np.abs(values).max(initial=0.0)))[1]) * (1 << len(values).bit_length())
        upper = (values + cut) - cut if np.isfinite(cut) else values
        lower = values - upper if np.isfinite(cut) else np.zeros(len(values))
        sums = np.bincount(ids, weights=upper, minlength=grouping.count)
        sums = sums + np.bincount(ids, weights=lower, minlength=grouping.count)
    return pa.array(sums, mask=np.bincount(ids, minlength=grouping.count) == 0)


def _reduced(
    operation: np.ufunc, grouping: Grouping, values: npt.NDArray[Any], argument: Array
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """The values of each group under `operation`, and which groups have none."""
    valid = validity(argument)
    ids: Int64s = grouping.ids
    if valid is not None:
        ids, values = ids[valid], values[valid]
    counts = np.bincount(ids, minlength=grouping.count)
    filled = counts > 0
    result = np.zeros(grouping.count, values.dtype)
    if len(ids):
        starts = (np.cumsum(counts) - counts)[filled]
        result[filled] = operation.reduceat(values[stable_order(ids, grouping.count)], starts)
    return result, ~filled

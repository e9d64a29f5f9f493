"""Whether two rows have the same key: NULL equals NULL, NaN equals NaN, -0.0 equals 0.0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.kernel.values import Array, Mask, canonical_floats, integers, unpack_bits, validity


def rows_equal(left: Sequence[Array], right: Sequence[Array]) -> Mask:
    """For each row whether all columns of the two sides are equal; their types are the same pairwise (plain or large)."""
    result: Mask | None = None
    for a, b in zip(left, right, strict=True):
        same = _equal(a, b)
        result = same if result is None else result & same
    if result is None:
        raise ValueError("comparing rows takes at least one column")
    return result


def _equal(a: Array, b: Array) -> Mask:
    if a.type != b.type:
        b = b.cast(a.type)  # a build side whose strings became large ones
    if pa.types.is_null(a.type):
        return np.ones(len(a), np.bool_)
    if pa.types.is_dictionary(a.type):
        return _equal(a.cast(a.type.value_type), b.cast(b.type.value_type))
    if pa.types.is_floating(a.type):
        same = np.equal(canonical_floats(a).view(np.int64), canonical_floats(b).view(np.int64))
    elif a.type == pa.month_day_nano_interval():
        same = np.equal(integers(a), integers(b))
    else:
        same = unpack_bits(pc.equal(a, b))
    left, right = validity(a), validity(b)
    if left is None and right is None:
        return same
    one = left if left is not None else np.ones(len(a), np.bool_)
    other = right if right is not None else np.ones(len(b), np.bool_)
    return (same & one & other) | ~(one | other)

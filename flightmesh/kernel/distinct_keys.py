"""The distinct rows of columns whose rows pack into one integer: found among the codes, and unpacked from them.

Handed key columns; hands on columns of the distinct keys, in the order of their codes. What always holds: NULL is a value like
any other, and no row is looked up or gathered, which is what grouping rows would spend most of its time on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.kernel.decimals import decimals_from_int64
from flightmesh.kernel.group import DIRECT_PER_ROW, DIRECT_SIZE
from flightmesh.kernel.key_codes import ColumnRange, Packing, pack_keys
from flightmesh.kernel.values import Array, Int64s, Mask, is_integer_like
from flightmesh.kernel.within import sorted_within

PART_ROWS = 1 << 9
"""Codes sorted together, about."""
MOST_PARTS = 1 << 16


def distinct_keys(columns: Sequence[Array]) -> list[Array] | None:
    """The distinct rows of these columns; None where they do not pack, or not all can be unpacked."""
    types = [column.type for column in columns]
    if not all(map(_unpacks, types)):
        return None
    packed = pack_keys(columns, [True] * len(columns))
    if packed is None:
        return None
    packing, codes = packed
    return _unpacked(packing, _distinct(codes, packing.size), types)


def array_of_integers(values: Int64s, type_: pa.DataType, null: Mask | None) -> Array:
    """The array whose values are these integers, as `integer_values` gives them; NULL where `null`."""
    mask = None if null is None or not null.any() else null
    if pa.types.is_decimal(type_):
        return decimals_from_int64(values, type_, mask)
    if pa.types.is_boolean(type_):
        return pa.array(values != 0, mask=mask)
    if pa.types.is_integer(type_):
        return pa.array(values.astype(type_.to_pandas_dtype()), type_, mask=mask)
    return pa.array(values.astype(f"i{type_.bit_width // 8}"), mask=mask).view(type_)


def _unpacks(type_: pa.DataType) -> bool:
    plain = is_integer_like(type_) and not pa.types.is_interval(type_)
    return bool(plain or pa.types.is_decimal128(type_))


def _distinct(codes: Int64s, size: int) -> Int64s:
    if size <= max(DIRECT_SIZE, DIRECT_PER_ROW * len(codes)):
        there = np.zeros(size, np.bool_)
        there[codes] = True
        return np.flatnonzero(there)
    if bool((codes[1:] < codes[:-1]).any()):
        parts = min(max(len(codes) // PART_ROWS, 1), MOST_PARTS)
        _, codes = sorted_within(codes // np.int64(-(-size // parts)), codes, parts)
    first = np.ones(len(codes), np.bool_)
    np.not_equal(codes[1:], codes[:-1], out=first[1:])
    return codes[first]


def _unpacked(packing: Packing, codes: Int64s, types: Sequence[pa.DataType]) -> list[Array]:
    made: list[Array] = []
    for known, type_ in zip(reversed(packing.columns), reversed(types), strict=True):
        width = np.int64(known.width + known.null_code)
        codes, own = np.divmod(codes, width) if len(made) < len(types) - 1 else (codes, codes)
        made.append(_column(own, known, type_))
    return made[::-1]


def _column(codes: Int64s, known: ColumnRange, type_: pa.DataType) -> Array:
    null = codes == 0 if known.null_code else None
    # In two steps: one below the least integer is none, and what wraps is only ever under a NULL.
    return array_of_integers(codes - np.int64(known.null_code) + np.int64(known.low), type_, null)

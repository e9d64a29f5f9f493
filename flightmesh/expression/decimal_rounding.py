"""Decimals to another scale, with the rounding asked for; DataError where the digits do not suffice.

Handed decimal columns or scalars and a decimal type, hands on that type. What always holds: int64 does the work where the
values allow it; beyond, Python's decimals do it value by value.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.expression.arrays import null_of, validity_buffer
from flightmesh.expression.functions.declare import Datum
from flightmesh.expression.scaled import (
    EXACT,
    INT64_LIMIT,
    Words,
    as_int64,
    decimal_scalar,
    from_decimals,
    from_int64,
    largest,
    narrow,
    too_wide,
    unscaled,
)
from flightmesh.expression.types import INT64_PRECISION


class Rounding:
    """How a lower scale is reached, as functions of (values, divisor) on int64 arrays."""

    @staticmethod
    def half_away(values: Words, divisor: int) -> Words:
        """To the nearest, ties away from zero."""
        half = divisor // 2
        shifted = values + np.where(values < 0, -half, half)
        whole = shifted // divisor
        result: Words = whole + ((whole < 0) & (whole * divisor != shifted))
        return result

    @staticmethod
    def down(values: Words, divisor: int) -> Words:
        """Towards zero."""
        magnitude = np.abs(values) // divisor
        return np.where(values < 0, -magnitude, magnitude)

    @staticmethod
    def floor(values: Words, divisor: int) -> Words:
        """Towards minus infinity."""
        return values // divisor

    @staticmethod
    def ceiling(values: Words, divisor: int) -> Words:
        """Towards plus infinity."""
        return -(-values // divisor)


_PYTHON_ROUNDING: dict[Any, Callable[[int, int], int]] = {
    Rounding.half_away: lambda v, d: (abs(v) + d // 2) // d * (1 if v >= 0 else -1),
    Rounding.down: lambda v, d: abs(v) // d * (1 if v >= 0 else -1),
    Rounding.floor: lambda v, d: v // d,
    Rounding.ceiling: lambda v, d: -(-v // d),
}


def rescale(datum: Datum, type: pa.DataType, rounding: Callable[[Words, int], Words] = Rounding.half_away) -> Datum:
    """The decimal as another decimal type; DataError where it has too many digits for it."""
    source = datum.type
    if source == type:
        return datum
    if isinstance(datum, pa.Scalar):
        if not datum.is_valid:
            return null_of(type)
        return decimal_scalar(_rescaled_int(unscaled(datum), source.scale, type.scale, rounding), type)
    shift = type.scale - source.scale
    values = as_int64(datum)
    if values is None or abs(shift) > INT64_PRECISION or largest(values) >= INT64_LIMIT // 2:
        return _wide_rescale(datum, type, rounding)
    limit = min(10**type.precision, INT64_LIMIT)
    grown = 10**shift if shift > 0 else 1
    bound = 10**source.precision
    if bound * grown >= limit or source.precision > INT64_PRECISION:
        bound = largest(_masked(values, datum))
    if shift < 0:
        moved = rounding(values, 10**-shift)
        if bound // 10**-shift + 1 >= limit and largest(_masked(moved, datum)) >= limit:
            raise too_wide(type)
        return from_int64(moved, type, validity_buffer(datum))
    if bound * grown >= limit:
        return _wide_rescale(datum, type, rounding)
    return from_int64(values * grown, type, validity_buffer(datum))


def _masked(values: Words, array: pa.Array) -> Words:
    """The values that count for a bound: those that are not NULL."""
    return values if not array.null_count else values[np.asarray(array.is_valid())]


def _rescaled_int(value: int, source: int, target: int, rounding: Callable[[Words, int], Words]) -> int:
    if target >= source:
        return value * int(10 ** (target - source))
    return _PYTHON_ROUNDING[rounding](value, int(10 ** (source - target)))


def _wide_rescale(array: pa.Array, type: pa.DataType, rounding: Callable[[Words, int], Words]) -> pa.Array:
    """Value by value: only for values past 64 bits, or on the way to an overflow error."""
    if type.scale >= array.type.scale and type.scale + array.type.precision - array.type.scale <= 76:
        grown = array.cast(pa.decimal256(76, array.type.scale)).cast(pa.decimal256(76, type.scale))
        return narrow(grown, type)
    moved = [
        None
        if v is None
        else Decimal(_rescaled_int(int(v.scaleb(array.type.scale, EXACT)), array.type.scale, type.scale, rounding)).scaleb(
            -type.scale, EXACT
        )
        for v in array.to_pylist()
    ]
    return from_decimals(moved, type)


def zeros(array: pa.Array, type: pa.DataType) -> pa.Array:
    """0 where the array has a value."""
    return from_int64(np.zeros(len(array), np.int64), type, validity_buffer(array))


def round_tens(array: pa.Array, tens: int, rounding: Callable[[Words, int], Words], type: pa.DataType) -> pa.Array:
    """To a multiple of 10^tens, as `type` of scale 0."""
    divisor = 10 ** (array.type.scale + tens)
    values = as_int64(array)
    if values is not None and divisor < INT64_LIMIT // 4 and largest(values) < INT64_LIMIT // 4:
        return from_int64(rounding(values, divisor) * 10**tens, type, validity_buffer(array))
    python = _PYTHON_ROUNDING[rounding]
    moved = [
        None if v is None else Decimal(python(int(v.scaleb(array.type.scale, EXACT)), divisor) * 10**tens)
        for v in array.to_pylist()
    ]
    return from_decimals(moved, type)

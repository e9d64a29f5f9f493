"""Exact decimal arithmetic on arrays: scaled int64 where the values of a batch prove it safe, decimal256 where they do not.

Handed decimal arrays or scalars (their own precisions and scales) and a result type; hands on exactly that type. What always holds:
results are exact, rounding is half away from zero, and a value that does not fit the result's digits is a DataError, never a wrap.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flightmesh.errors import DataError
from flightmesh.expression.arrays import from_values, null_of, validity_buffer
from flightmesh.expression.functions.declare import Datum
from flightmesh.expression.types import INT64_PRECISION, sql_type_name

INT64_LIMIT = 1 << 63
_EXACT = Context(prec=200, rounding=ROUND_HALF_UP)

Words = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scaled:
    """Unscaled decimal values as int64: an array or one int, and a bound on their absolute values."""

    values: Words | int
    bound: int


def low_words(array: pa.Array) -> Words:
    """The low 64 bits of each decimal128 value, as a strided view."""
    return _words(array)[::2]


def _words(array: pa.Array) -> Words:
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.empty(0, np.int64)
    return np.frombuffer(buffer, np.int64, count=2 * len(array), offset=16 * array.offset)


def as_int64(array: pa.Array) -> Words | None:
    """The unscaled values as int64, or None where some value needs more than 64 bits."""
    low = low_words(array)
    if array.type.precision <= INT64_PRECISION:
        return low
    high = _words(array)[1::2]
    if np.array_equal(high, low >> 63):
        return low
    if array.null_count:
        return as_int64(pc.fill_null(array, pa.scalar(Decimal(0), array.type)))
    return None


def from_int64(values: Words, type: pa.DataType, validity: pa.Buffer | None = None) -> pa.Array:
    """A decimal128 array over unscaled int64 values."""
    words = np.empty((len(values), 2), np.int64)
    words[:, 0] = values
    np.right_shift(words[:, 0], 63, out=words[:, 1])
    return pa.Array.from_buffers(type, len(values), [validity, pa.py_buffer(words)])


def unscaled(scalar: pa.Scalar) -> int:
    """The unscaled value of a valid decimal scalar."""
    return int(scalar.as_py().scaleb(scalar.type.scale, _EXACT))


def decimal_scalar(value: int, type: pa.DataType) -> pa.Scalar:
    """A decimal scalar from its unscaled value; DataError where it has too many digits."""
    if abs(value) >= 10**type.precision:
        raise DataError(f"overflow: the value does not fit {sql_type_name(type)}")
    return pa.scalar(Decimal(value).scaleb(-type.scale, _EXACT), type)


def _scaled(datum: Datum, limit: int) -> Scaled | None:
    """The operand as int64 with a bound, tight only if the loose one would pass `limit`."""
    if isinstance(datum, pa.Scalar):
        value = unscaled(datum)
        return Scaled(value, abs(value)) if abs(value) < INT64_LIMIT else None
    values = as_int64(datum)
    if values is None:
        return None
    loose = 10 ** min(datum.type.precision, INT64_PRECISION + 1)
    if loose <= limit and datum.type.precision <= INT64_PRECISION:
        return Scaled(values, loose)
    return Scaled(values, _largest(values))


def _largest(values: Words) -> int:
    return max(abs(int(values.min())), abs(int(values.max()))) if len(values) else 0


def _tight(part: Scaled) -> Scaled:
    return part if isinstance(part.values, int) else Scaled(part.values, _largest(part.values))


def _rows(*data: Datum) -> int | None:
    return next((len(d) for d in data if isinstance(d, pa.Array)), None)


def add(left: Datum, right: Datum, type: pa.DataType) -> Datum:
    """left + right, exactly."""
    return _linear(left, right, type, np.add, operator.add, pc.add)


def subtract(left: Datum, right: Datum, type: pa.DataType) -> Datum:
    """left - right, exactly."""
    return _linear(left, right, type, np.subtract, operator.sub, pc.subtract)


def _linear(left: Datum, right: Datum, type: pa.DataType, fast: Any, whole: Callable[[int, int], int], exact: Any) -> Datum:
    if not _valid(left, right):
        return null_of(type)
    factors = (10 ** (type.scale - left.type.scale), 10 ** (type.scale - right.type.scale))
    if _rows(left, right) is None:
        return decimal_scalar(whole(unscaled(left) * factors[0], unscaled(right) * factors[1]), type)
    limit = min(10**type.precision, INT64_LIMIT)
    parts = _scaled(left, limit), _scaled(right, limit)
    if parts[0] is not None and parts[1] is not None:
        a, b = parts
        if a.bound * factors[0] + b.bound * factors[1] >= limit:
            a, b = _tight(a), _tight(b)
        if a.bound * factors[0] + b.bound * factors[1] < limit:
            values = fast(_times(a.values, factors[0]), _times(b.values, factors[1]))
            return from_int64(values, type, validity_buffer(left, right))
    wide = pa.decimal256(60, type.scale)
    return narrow(exact(_widen(left, wide), _widen(right, wide)), type)


def _times(values: Words | int, factor: int) -> Words | int:
    return values if factor == 1 else values * factor


def multiply(left: Datum, right: Datum, type: pa.DataType) -> Datum:
    """left * right, exactly; the result's scale is the sum of theirs."""
    if not _valid(left, right):
        return null_of(type)
    if _rows(left, right) is None:
        return decimal_scalar(unscaled(left) * unscaled(right), type)
    limit = min(10**type.precision, INT64_LIMIT)
    parts = _scaled(left, limit), _scaled(right, limit)
    if parts[0] is not None and parts[1] is not None:
        a, b = parts
        if a.bound * b.bound >= limit:
            a, b = _tight(a), _tight(b)
        if a.bound * b.bound < limit:
            return from_int64(a.values * b.values, type, validity_buffer(left, right))  # type: ignore[arg-type]
    return _wide_product(left, right, type)


def _wide_product(left: Datum, right: Datum, type: pa.DataType) -> Datum:
    digits = (min(left.type.precision, 38), min(right.type.precision, 38))
    if digits[0] + digits[1] + 1 > 76:
        return _slow_product(left, right, type)
    a = _widen(left, pa.decimal256(digits[0], left.type.scale))
    b = _widen(right, pa.decimal256(digits[1], right.type.scale))
    return narrow(pc.multiply(a, b), type)


def _slow_product(left: Datum, right: Datum, type: pa.DataType) -> Datum:
    """Both sides declare 38 digits: cast down what has fewer, else value by value (rare: some value has over 37 digits)."""
    for first, second in ((left, right), (right, left)):
        try:
            shorter = _widen(first, pa.decimal256(37, first.type.scale))
        except pa.ArrowInvalid:
            continue
        return narrow(pc.multiply(shorter, _widen(second, pa.decimal256(38, second.type.scale))), type)
    rows = _rows(left, right) or 0
    pairs = zip(_listed(left, rows), _listed(right, rows), strict=True)
    products = [None if a is None or b is None else _EXACT.multiply(a, b) for a, b in pairs]
    return _from_decimals(products, type)


def _listed(datum: Datum, rows: int) -> list[Decimal | None]:
    return [datum.as_py()] * rows if isinstance(datum, pa.Scalar) else datum.to_pylist()


def _from_decimals(values: list[Decimal | None], type: pa.DataType) -> pa.Array:
    limit = Decimal(10) ** (type.precision - type.scale)
    if any(v is not None and abs(v) >= limit for v in values):
        raise DataError(f"overflow: the value does not fit {sql_type_name(type)}")
    return pa.array(values, type)


def _widen(datum: Datum, type: pa.DataType) -> Datum:
    return datum if datum.type == type else datum.cast(type)


def narrow(datum: Datum, type: pa.DataType) -> Datum:
    """A decimal256 result of the same scale as decimal128; DataError where it does not fit."""
    try:
        return datum.cast(type)
    except pa.ArrowInvalid:
        raise DataError(f"overflow: the value does not fit {sql_type_name(type)}") from None


def _valid(*data: Datum) -> bool:
    return all(not isinstance(d, pa.Scalar) or d.is_valid for d in data)


def negate(operand: Datum, type: pa.DataType) -> Datum:
    """-operand."""
    return subtract(pa.scalar(Decimal(0), type), operand, type)


def absolute(operand: Datum, type: pa.DataType) -> Datum:
    """The absolute value."""
    return pc.abs(operand).cast(type)


def modulo(left: Datum, right: Datum, type: pa.DataType) -> Datum:
    """The remainder with the sign of `left`; NULL where `right` is 0."""
    if not _valid(left, right):
        return null_of(type)
    a, b = rescale(left, type), rescale(right, type)
    rows = _rows(a, b)
    if rows is None:
        divisor = unscaled(b)
        if divisor == 0:
            return null_of(type)
        value = unscaled(a)
        return decimal_scalar(abs(value) % abs(divisor) * (1 if value >= 0 else -1), type)
    parts = _scaled(a, INT64_LIMIT), _scaled(b, INT64_LIMIT)
    if parts[0] is None or parts[1] is None:
        return _slow_modulo(a, b, type, rows)
    divisor = np.asarray(parts[1].values)
    zero = divisor == 0
    values = np.fmod(parts[0].values, np.where(zero, 1, divisor))
    result = from_int64(np.broadcast_to(values, rows), type, validity_buffer(a, b))
    return pc.if_else(pa.array(np.broadcast_to(zero, rows)), null_of(type), result) if zero.any() else result


def _slow_modulo(left: Datum, right: Datum, type: pa.DataType, rows: int) -> pa.Array:
    pairs = zip(_listed(left, rows), _listed(right, rows), strict=True)
    return _from_decimals([None if a is None or not b else _EXACT.remainder(a, b) for a, b in pairs], type)


class Rounding:
    """How a lower scale is reached, as functions of (values, divisor) on int64 arrays."""

    @staticmethod
    def half_away(values: Words, divisor: int) -> Words:
        """To the nearest, ties away from zero."""
        half = divisor // 2
        magnitude = (np.abs(values) + half) // divisor
        return np.where(values < 0, -magnitude, magnitude)

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
    if values is None or abs(shift) > INT64_PRECISION or _largest(values) >= INT64_LIMIT // 2:
        return _wide_rescale(datum, type, rounding)
    limit = min(10**type.precision, INT64_LIMIT)
    grown = 10**shift if shift > 0 else 1
    bound = 10**source.precision
    if bound * grown >= limit or source.precision > INT64_PRECISION:
        bound = _largest(_masked(values, datum))
    if shift < 0:
        moved = rounding(values, 10**-shift)
        if bound // 10**-shift + 1 >= limit and _largest(_masked(moved, datum)) >= limit:
            raise DataError(f"overflow: the value does not fit {sql_type_name(type)}")
        return from_int64(moved, type, validity_buffer(datum))
    if bound * grown >= limit:
        return _wide_rescale(datum, type, rounding)
    return from_int64(np.asarray(_times(values, grown)), type, validity_buffer(datum))


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
        else Decimal(_rescaled_int(int(v.scaleb(array.type.scale, _EXACT)), array.type.scale, type.scale, rounding)).scaleb(
            -type.scale, _EXACT
        )
        for v in array.to_pylist()
    ]
    return _from_decimals(moved, type)


def to_double(datum: Datum) -> Datum:
    """The decimal as a double: whole and fractional part converted apart where the unscaled value passes 2^53."""
    power = 10.0**datum.type.scale
    if isinstance(datum, pa.Scalar):
        return pa.scalar(float(datum.as_py()) if datum.is_valid else None, pa.float64())
    values = as_int64(datum)
    if values is None:
        return datum.cast(pa.float64())
    if datum.type.precision <= 15 or datum.type.scale == 0 or _largest(values) <= 1 << 53:
        result = values / power
    else:
        whole = Rounding.down(values, 10**datum.type.scale)
        result = whole + (values - whole * 10**datum.type.scale) / power
    return from_values(result, pa.float64(), validity_buffer(datum))


def int_divide(left: Datum, right: Datum, type: pa.DataType) -> Datum:
    """The quotient of whole decimals cut towards zero; NULL where `right` is 0."""
    if not _valid(left, right):
        return null_of(type)
    rows = _rows(left, right)
    if rows is None:
        divisor = unscaled(right)
        return null_of(type) if divisor == 0 else decimal_scalar(_cut_quotient(unscaled(left), divisor), type)
    parts = _scaled(left, INT64_LIMIT), _scaled(right, INT64_LIMIT)
    if parts[0] is None or parts[1] is None:
        pairs = zip(_listed(left, rows), _listed(right, rows), strict=True)
        return _from_decimals(
            [None if a is None or not b else Decimal(_cut_quotient(int(a), int(b))) for a, b in pairs], type
        )
    divisors = np.asarray(parts[1].values)
    zero = divisors == 0
    values = np.asarray(parts[0].values)
    safe = np.where(zero, 1, divisors)
    quotient = values // safe
    quotient = quotient + ((quotient < 0) & (quotient * safe != values))
    result = from_int64(np.broadcast_to(quotient, rows), type, validity_buffer(left, right))
    return pc.if_else(pa.array(np.broadcast_to(zero, rows)), null_of(type), result) if zero.any() else result


def _cut_quotient(value: int, divisor: int) -> int:
    magnitude = abs(value) // abs(divisor)
    return magnitude if (value < 0) == (divisor < 0) else -magnitude


def round_tens(array: pa.Array, tens: int, rounding: Callable[[Words, int], Words], type: pa.DataType) -> pa.Array:
    """To a multiple of 10^tens, as `type` of scale 0."""
    divisor = 10 ** (array.type.scale + tens)
    values = as_int64(array)
    if values is not None and divisor < INT64_LIMIT // 4 and _largest(values) < INT64_LIMIT // 4:
        return from_int64(rounding(values, divisor) * 10**tens, type, validity_buffer(array))
    python = _PYTHON_ROUNDING[rounding]
    moved = [
        None if v is None else Decimal(python(int(v.scaleb(array.type.scale, _EXACT)), divisor) * 10**tens)
        for v in array.to_pylist()
    ]
    return _from_decimals(moved, type)

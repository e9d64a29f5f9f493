"""CAST and TRY_CAST between the engine's types, with DuckDB's rounding and text forms.

Handed an array or scalar and a target type; hands on the same length in that type. What always holds: STRICT raises DataError
that names the first value that does not fit, TRY gives NULL for exactly those values.

Rounding: decimal to integer and to fewer digits, half away from zero; float to integer, half to even; text to integer, half
away.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression import decimals, listtext, textcasts
from flightmesh.expression.arrays import (
    from_values,
    null_of,
    null_where,
    numeric_values,
    one_array,
    valid_mask,
    validity_buffer,
)
from flightmesh.expression.decimal_rounding import Rounding, rescale
from flightmesh.expression.functions.declare import Datum
from flightmesh.expression.lists import put_together, taken_apart
from flightmesh.expression.nodes import CastMode
from flightmesh.expression.scaled import EXACT, Words, as_int64, from_int64
from flightmesh.expression.types import Family, decimal_of, family, integer_bounds, sql_type_name

_NUMBERS = (Family.BOOLEAN, Family.INTEGER, Family.DECIMAL, Family.FLOAT)
_PAIRS: frozenset[tuple[Family, Family]] = frozenset(
    {(a, b) for a in _NUMBERS for b in _NUMBERS}
    | {(Family.NULL, b) for b in Family}
    | {(a, Family.STRING) for a in Family if a is not Family.OTHER}
    | {(Family.STRING, b) for b in Family if b is not Family.OTHER}
    | {(a, a) for a in Family if a is not Family.OTHER}
    | {
        (Family.DATE, Family.TIMESTAMP),
        (Family.TIMESTAMP, Family.DATE),
        (Family.TIMESTAMP, Family.TIME),
    }
)


def castable(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether an explicit cast exists."""
    if family(source) is Family.LIST or family(target) is Family.LIST:
        return _castable_lists(source, target)
    return source == target or (family(source), family(target)) in _PAIRS


def _castable_lists(source: pa.DataType, target: pa.DataType) -> bool:
    """Lists cast as their elements do, to and from text too."""
    a, b = family(source), family(target)
    if a is b:
        return castable(source.value_type, target.value_type)
    if b is Family.STRING:
        return castable(source.value_type, target)
    return a is Family.NULL or (a is Family.STRING and castable(source, target.value_type))


def cast_may_fail(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether some value of `source` does not fit `target`."""
    if source == target or family(source) is Family.NULL:
        return False
    a, b = family(source), family(target)
    if b is Family.STRING or (a in _NUMBERS and b is Family.BOOLEAN) or (a is Family.BOOLEAN and b in _NUMBERS):
        return a is Family.BINARY
    if b is Family.FLOAT and a in (Family.INTEGER, Family.DECIMAL):
        return False
    if a is b is Family.FLOAT:
        return bool(target.bit_width < source.bit_width)
    if a is b is Family.INTEGER:
        (low, high), (least, most) = integer_bounds(source), integer_bounds(target)
        return low < least or high > most
    if a is b is Family.LIST:
        return cast_may_fail(source.value_type, target.value_type)
    if b is Family.DECIMAL and a in (Family.INTEGER, Family.DECIMAL):
        held = decimal_of(source)
        return bool(target.precision - target.scale < held.precision - held.scale + (1 if target.scale < held.scale else 0))
    return not (a is b or {a, b} <= {Family.DATE, Family.TIMESTAMP, Family.TIME})


def cast_datum(datum: Datum, type: pa.DataType, mode: CastMode) -> Datum:
    """The datum as `type`. Raises DataError in STRICT mode where a value does not fit."""
    if datum.type == type:
        return datum
    if isinstance(datum, pa.Scalar):
        if not datum.is_valid or family(datum.type) is Family.NULL:
            return null_of(type)
        return cast_datum(pa.repeat(datum, 1), type, mode)[0]
    if pa.types.is_dictionary(datum.type):
        return cast_datum(datum.dictionary_decode(), type, mode)
    if family(datum.type) is Family.NULL:
        return pa.nulls(len(datum), type)
    convert = _CONVERSIONS.get((family(datum.type), family(type)))
    if convert is None:
        raise DataError(f"cannot cast {sql_type_name(datum.type)} to {sql_type_name(type)}")
    return one_array(convert(datum, type, mode))


def _misfit(array: pa.Array, bad: Any, type: pa.DataType, mode: CastMode) -> pa.Array:
    """The input with NULL for the values that do not fit (TRY), or the error that names the first (STRICT)."""
    if mode is CastMode.STRICT:
        raise cannot_cast(array[int(np.flatnonzero(bad)[0])], type)
    return null_where(array, bad)


def cannot_cast(value: pa.Scalar, type: pa.DataType) -> DataError:
    """The error for one value."""
    shown = value.as_py()
    shown = repr(shown) if isinstance(shown, str) else str(shown)
    return DataError(f"cannot cast {shown} of type {sql_type_name(value.type)} to {sql_type_name(type)}")


def _rounded(values: Words, array: pa.Array) -> pa.Array:
    whole = Rounding.half_away(values, 10**array.type.scale) if array.type.scale else np.array(values)
    return from_values(whole, pa.int64(), validity_buffer(array))


def _integer_to_integer(array: pa.Array, type: pa.DataType, mode: CastMode, shown: pa.Array | None = None) -> pa.Array:
    """`shown` holds the values before an earlier conversion, for the error."""
    try:
        return array.cast(type)
    except pa.ArrowInvalid:
        low, high = integer_bounds(type)
        values = numeric_values(array)
        source = integer_bounds(array.type)
        bad = ((values < max(low, source[0])) | (values > min(high, source[1]))) & valid_mask(array)
        if mode is CastMode.STRICT and shown is not None:
            _misfit(shown, bad, type, mode)
        return _misfit(array, bad, type, mode).cast(type)


def _float_to_integer(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    values = numeric_values(array)
    low, high = integer_bounds(type)
    rounded = np.rint(values)
    with np.errstate(invalid="ignore"):
        bad = ~((values >= float(low)) & (rounded < float(high + 1))) & valid_mask(array)
    kept = _misfit(array, bad, type, mode) if bad.any() else array
    whole = np.rint(np.where(valid_mask(kept), numeric_values(kept), 0.0))
    dtype = np.dtype(f"{'i' if pa.types.is_signed_integer(type) else 'u'}{type.bit_width // 8}")
    return from_values(whole.astype(dtype), type, validity_buffer(kept))


def _decimal_to_integer(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    values = as_int64(array)
    if values is not None and array.type.precision <= 17:
        return _integer_to_integer(_rounded(values, array), type, mode, array)
    whole = rescale(array, pa.decimal128(38, 0))
    try:
        return _whole_to_integer(whole, type)
    except pa.ArrowInvalid:
        low, high = integer_bounds(type)
        bounds = (pa.scalar(low).cast(pa.decimal128(38, 0)), pa.array([high], pa.decimal128(38, 0))[0])
        bad = pc.fill_null(pc.or_(pc.less(whole, bounds[0]), pc.greater(whole, bounds[1])), False)
        kept = _misfit(array, np.asarray(bad), type, mode)
        return _whole_to_integer(rescale(kept, pa.decimal128(38, 0)), type)


def _whole_to_integer(whole: pa.Array, type: pa.DataType) -> pa.Array:
    values = as_int64(whole)
    if values is None:
        return whole.cast(type)
    return from_values(np.array(values), pa.int64(), validity_buffer(whole)).cast(type)


def _integer_to_decimal(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    if array.type == pa.uint64():
        held = array.cast(pa.decimal128(20, 0))
    else:
        values = numeric_values(array.cast(pa.int64()))
        held = from_int64(values, decimal_of(array.type), validity_buffer(array))
    return _decimal_to_decimal(held, type, mode)


def _decimal_to_decimal(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    try:
        return rescale(array, type)
    except DataError:
        if mode is CastMode.STRICT:
            raise _first_wide(array, type) from None
        return _each(array, type, lambda value: rescale(value, type))


def _first_wide(array: pa.Array, type: pa.DataType) -> DataError:
    for value in array:
        try:
            rescale(value, type)
        except DataError:
            return cannot_cast(value, type)
    return DataError(f"a value does not fit {sql_type_name(type)}")


def _each(array: pa.Array, type: pa.DataType, convert: Callable[[pa.Scalar], pa.Scalar]) -> pa.Array:
    """Value by value, NULL for failures: the rare end of TRY_CAST."""
    found: list[Any] = []
    for value in array:
        try:
            found.append(convert(value).as_py())
        except DataError:
            found.append(None)
    return pa.array(found, type)


def _float_to_decimal(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    values = numeric_values(array).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = values * 10.0**type.scale
        scaled = np.trunc(scaled + np.copysign(0.5, scaled)) if array.type != pa.float64() else _round_half_away(scaled)
        bad = ~(np.abs(scaled) < 10.0**type.precision) & valid_mask(array)
    if bad.any():
        return _float_to_decimal(_misfit(array, bad, type, mode), type, mode)
    clean = np.where(valid_mask(array), scaled, 0.0)
    if type.precision <= 18 or bool((np.abs(clean) < 2.0**62).all()):
        return from_int64(clean.astype(np.int64), type, validity_buffer(array))
    kept = valid_mask(array)
    exact = [Decimal(int(v)).scaleb(-type.scale, EXACT) if k else None for v, k in zip(clean, kept, strict=True)]
    return pa.array(exact, type)


def _round_half_away(values: Any) -> Any:
    whole = np.trunc(values)
    return np.where(np.abs(values - whole) >= 0.5, whole + np.copysign(1.0, values), whole)


def _decimal_to_float(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    return decimals.to_double(array).cast(type, safe=False)


def _number_to_float(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    if family(array.type) is Family.FLOAT and type.bit_width < array.type.bit_width:
        values = numeric_values(array)
        with np.errstate(over="ignore"):
            bad = np.isinf(values.astype(np.float32)) & ~np.isinf(values) & valid_mask(array)
        if bad.any():
            array = _misfit(array, bad, type, mode)
    return array.cast(type, safe=False)


def _to_boolean(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    zero = Decimal(0) if family(array.type) is Family.DECIMAL else 0
    return pc.not_equal(array, pa.scalar(zero, array.type))


def _boolean_to_decimal(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    return _integer_to_decimal(array.cast(pa.int8()), type, mode)


def _plain(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    return array.cast(type)


def _timestamp_to_date(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    micros = array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.int64())
    days = numeric_values(micros) // 86_400_000_000
    return from_values(days.astype(np.int32), pa.date32(), validity_buffer(micros))


def _timestamp_to_time(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    micros = array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.int64())
    return from_values(numeric_values(micros) % 86_400_000_000, pa.time64("us"), validity_buffer(micros))


def _timestamp_to_timestamp(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    return array.cast(pa.timestamp(array.type.unit, type.tz)).cast(type, safe=False)


def _to_text(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    return textcasts.to_text(array).cast(type)


def _from_text(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    text = array.cast(pa.string())
    result, bad = textcasts.from_text(text, type)
    if bad is not None and mode is CastMode.STRICT:
        raise cannot_cast(text[int(np.flatnonzero(bad)[0])], type)
    return result


def _list_to_list(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    parts = taken_apart(array)
    return put_together(parts.offsets, cast_datum(parts.values, type.value_type, mode), parts.valid)


def _list_from_text(array: pa.Array, type: pa.DataType, mode: CastMode) -> pa.Array:
    text = array.cast(pa.string())
    lists, bad = listtext.split_elements(text)
    if bad is not None and mode is CastMode.STRICT:
        raise cannot_cast(text[int(np.flatnonzero(bad)[0])], type)
    return cast_datum(lists, type, mode)


_F = Family
_CONVERSIONS: dict[tuple[Family, Family], Callable[[pa.Array, pa.DataType, CastMode], Any]] = {
    (_F.BOOLEAN, _F.INTEGER): _plain,
    (_F.BOOLEAN, _F.FLOAT): lambda a, t, m: a.cast(pa.int8()).cast(t),
    (_F.BOOLEAN, _F.DECIMAL): _boolean_to_decimal,
    (_F.INTEGER, _F.INTEGER): _integer_to_integer,
    (_F.INTEGER, _F.FLOAT): _number_to_float,
    (_F.INTEGER, _F.DECIMAL): _integer_to_decimal,
    (_F.INTEGER, _F.BOOLEAN): _to_boolean,
    (_F.FLOAT, _F.INTEGER): _float_to_integer,
    (_F.FLOAT, _F.FLOAT): _number_to_float,
    (_F.FLOAT, _F.DECIMAL): _float_to_decimal,
    (_F.FLOAT, _F.BOOLEAN): _to_boolean,
    (_F.DECIMAL, _F.INTEGER): _decimal_to_integer,
    (_F.DECIMAL, _F.FLOAT): _decimal_to_float,
    (_F.DECIMAL, _F.DECIMAL): _decimal_to_decimal,
    (_F.DECIMAL, _F.BOOLEAN): _to_boolean,
    (_F.DATE, _F.DATE): _plain,
    (_F.DATE, _F.TIMESTAMP): lambda a, t, m: a.cast(pa.timestamp("us")).cast(t),
    (_F.TIMESTAMP, _F.DATE): _timestamp_to_date,
    (_F.TIMESTAMP, _F.TIME): _timestamp_to_time,
    (_F.TIMESTAMP, _F.TIMESTAMP): _timestamp_to_timestamp,
    (_F.TIME, _F.TIME): _plain,
    (_F.BINARY, _F.BINARY): _plain,
    (_F.STRING, _F.STRING): _plain,
    (_F.LIST, _F.LIST): _list_to_list,
    (_F.LIST, _F.STRING): lambda a, t, m: listtext.to_text(a).cast(t),
    (_F.STRING, _F.LIST): _list_from_text,
    **{(a, _F.STRING): _to_text for a in _F if a not in (_F.LIST, _F.OTHER, _F.STRING, _F.NULL)},
    **{(_F.STRING, b): _from_text for b in _F if b not in (_F.LIST, _F.OTHER, _F.STRING, _F.NULL)},
}

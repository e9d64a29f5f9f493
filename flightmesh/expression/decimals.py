"""Exact decimal arithmetic: scaled int64 where the values of a batch prove it safe, decimal256 where they do not.

Handed decimal columns or scalars (of their own precisions and scales) and a result type; hands on exactly that type, as
`ScaledDecimals` where int64 did it. What always holds: results are exact, and a value that does not fit the result's digits is
a DataError, never a wrap.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.arrays import boolean_array, from_values, null_of
from flightmesh.expression.decimal_rounding import Rounding
from flightmesh.expression.functions.declare import Datum
from flightmesh.expression.scaled import (
    EXACT,
    INT64_LIMIT,
    Held,
    Operand,
    ScaledDecimals,
    Words,
    all_valid,
    arrow,
    as_int64,
    count_rows,
    decimal_scalar,
    from_decimals,
    largest,
    listed,
    narrow,
    operand,
    unscaled,
    validity_of,
)


def add(left: Held, right: Held, type: pa.DataType) -> Held:
    """left + right, exactly."""
    return _linear(left, right, type, np.add, operator.add, pc.add)


def subtract(left: Held, right: Held, type: pa.DataType) -> Held:
    """left - right, exactly."""
    return _linear(left, right, type, np.subtract, operator.sub, pc.subtract)


def _linear(left: Held, right: Held, type: pa.DataType, fast: Any, whole: Callable[[int, int], int], exact: Any) -> Held:
    if not all_valid(left, right):
        return null_of(type)
    factors = (10 ** (type.scale - left.type.scale), 10 ** (type.scale - right.type.scale))
    if isinstance(left, pa.Scalar) and isinstance(right, pa.Scalar):
        return decimal_scalar(whole(unscaled(left) * factors[0], unscaled(right) * factors[1]), type)
    limit = min(10**type.precision, INT64_LIMIT)
    a, b = operand(left, limit), operand(right, limit)
    if a is not None and b is not None and max(factors) < INT64_LIMIT:
        if a.bound * factors[0] + b.bound * factors[1] >= limit:
            a, b = a.tightened(), b.tightened()
        bound = a.bound * factors[0] + b.bound * factors[1]
        if bound < limit:
            values = fast(_times(a.values, factors[0]), _times(b.values, factors[1]))
            return ScaledDecimals(type, values, validity_of(left, right), bound)
    return _wide_sum(arrow(left), arrow(right), type, exact, whole)


def _wide_sum(left: Datum, right: Datum, type: pa.DataType, exact: Any, whole: Callable[[int, int], int]) -> Datum:
    """In 256 bits; value by value where even their 75 digits do not hold an operand at the result's scale."""
    wide = pa.decimal256(75, type.scale)
    try:
        widened = _widen(left, wide), _widen(right, wide)
    except pa.ArrowInvalid:
        rows = count_rows(left, right) or 0
        pairs = zip(listed(left, rows), listed(right, rows), strict=True)
        operation = EXACT.add if whole is operator.add else EXACT.subtract
        return from_decimals([None if a is None or b is None else operation(a, b) for a, b in pairs], type)
    return narrow(exact(*widened), type)


def _times(values: Words | int, factor: int) -> Words | int:
    return values if factor == 1 else values * factor


def multiply(left: Held, right: Held, type: pa.DataType) -> Held:
    """left * right, exactly; the result's scale is the sum of theirs."""
    if not all_valid(left, right):
        return null_of(type)
    if isinstance(left, pa.Scalar) and isinstance(right, pa.Scalar):
        return decimal_scalar(unscaled(left) * unscaled(right), type)
    limit = min(10**type.precision, INT64_LIMIT)
    a, b = operand(left, limit), operand(right, limit)
    if a is not None and b is not None:
        if a.bound * b.bound >= limit:
            a, b = a.tightened(), b.tightened()
        if a.bound * b.bound < limit:
            values = np.multiply(a.values, b.values)
            return ScaledDecimals(type, values, validity_of(left, right), a.bound * b.bound)
    return _wide_product(arrow(left), arrow(right), type)


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
    rows = count_rows(left, right) or 0
    pairs = zip(listed(left, rows), listed(right, rows), strict=True)
    products = [None if a is None or b is None else EXACT.multiply(a, b) for a, b in pairs]
    return from_decimals(products, type)


def _widen(datum: Datum, type: pa.DataType) -> Datum:
    return datum if datum.type == type else datum.cast(type)


def negate(value: Held, type: pa.DataType) -> Held:
    """-value."""
    return subtract(decimal_scalar(0, type), value, type)


def absolute(value: Held, type: pa.DataType) -> Held:
    """The absolute value."""
    if isinstance(value, ScaledDecimals):
        return replace(value, values=np.abs(value.values))
    if isinstance(value, pa.Scalar):
        return null_of(type) if not value.is_valid else decimal_scalar(abs(unscaled(value)), type)
    values = as_int64(value)
    if values is None:
        return pc.abs(value).cast(type)
    return ScaledDecimals(type, np.abs(values), validity_of(value), largest(values))


def to_double(held: Held) -> Datum:
    """The decimal as a double: whole and fractional part converted apart where the unscaled value passes 2^53."""
    power = 10.0**held.type.scale
    if isinstance(held, pa.Scalar):
        return pa.scalar(float(held.as_py()) if held.is_valid else None, pa.float64())
    values = as_int64(held)
    if values is None:
        return arrow(held).cast(pa.float64())
    if held.type.precision <= 15 or held.type.scale == 0 or largest(values) <= 1 << 53:
        result = values / power
    else:
        whole = Rounding.down(values, 10**held.type.scale)
        result = whole + (values - whole * 10**held.type.scale) / power
    return from_values(result, pa.float64(), validity_of(held))


def compare(name: str, left: Held, right: Held) -> Datum | None:
    """One of the six comparisons on decimals of one scale, through int64; None where that does not do."""
    if (isinstance(left, pa.Scalar) and isinstance(right, pa.Scalar)) or not all_valid(left, right):
        return None
    if left.type.scale != right.type.scale:
        return None
    a, b = operand(left, INT64_LIMIT * 2), operand(right, INT64_LIMIT * 2)
    if a is None or b is None:
        return None
    return boolean_array(_COMPARISONS[name](a.values, b.values), validity_of(left, right))


def choose(mask: npt.NDArray[np.bool_], chosen: Held, other: Held, type: pa.DataType) -> Held | None:
    """`chosen` where the numpy mask is true, else `other`, through int64; None where a column has NULLs or is too wide.

    `other` may be NULL for all rows: CASE without ELSE.
    """
    empty = isinstance(other, pa.Scalar) and not other.is_valid
    if not all_valid(chosen) or validity_of(chosen) is not None or (not empty and validity_of(other) is not None):
        return None
    a = operand(chosen, INT64_LIMIT)
    b = Operand(0, 0) if empty else operand(other, INT64_LIMIT)
    if a is None or b is None:
        return None
    validity = boolean_array(mask).buffers()[1] if empty else None
    return ScaledDecimals(type, np.where(mask, a.values, b.values), validity, max(a.bound, b.bound))


_COMPARISONS: dict[str, Any] = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}

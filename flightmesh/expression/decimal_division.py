"""Remainders and whole quotients of decimals, exactly. Division by zero gives NULL.

Handed decimal columns or scalars, hands on the result type asked for. What always holds: both cut towards zero, as integers do.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.arrays import null_of, validity_buffer
from flightmesh.expression.decimal_rounding import rescale
from flightmesh.expression.functions.declare import Datum
from flightmesh.expression.scaled import (
    EXACT,
    INT64_LIMIT,
    all_valid,
    count_rows,
    decimal_scalar,
    from_decimals,
    from_int64,
    listed,
    operand,
    unscaled,
)


def modulo(left: Datum, right: Datum, type: pa.DataType) -> Datum:
    """The remainder with the sign of `left`; NULL where `right` is 0."""
    if not all_valid(left, right):
        return null_of(type)
    a, b = rescale(left, type), rescale(right, type)
    rows = count_rows(a, b)
    if rows is None:
        return _modulo_scalar(unscaled(a), unscaled(b), type)
    parts = operand(a, INT64_LIMIT), operand(b, INT64_LIMIT)
    if parts[0] is None or parts[1] is None:
        return _slow_modulo(a, b, type, rows)
    divisor = np.asarray(parts[1].values)
    zero = divisor == 0
    values = np.fmod(parts[0].values, np.where(zero, 1, divisor))
    result = from_int64(np.broadcast_to(values, rows), type, validity_buffer(a, b))
    return pc.if_else(pa.array(np.broadcast_to(zero, rows)), null_of(type), result) if zero.any() else result


def _modulo_scalar(value: int, divisor: int, type: pa.DataType) -> pa.Scalar:
    if divisor == 0:
        return null_of(type)
    return decimal_scalar(abs(value) % abs(divisor) * (1 if value >= 0 else -1), type)


def _slow_modulo(left: Datum, right: Datum, type: pa.DataType, rows: int) -> pa.Array:
    pairs = zip(listed(left, rows), listed(right, rows), strict=True)
    return from_decimals([None if a is None or not b else EXACT.remainder(a, b) for a, b in pairs], type)


def int_divide(left: Datum, right: Datum, type: pa.DataType) -> Datum:
    """The quotient of whole decimals cut towards zero; NULL where `right` is 0."""
    if not all_valid(left, right):
        return null_of(type)
    rows = count_rows(left, right)
    if rows is None:
        divisor = unscaled(right)
        return null_of(type) if divisor == 0 else decimal_scalar(_cut_quotient(unscaled(left), divisor), type)
    parts = operand(left, INT64_LIMIT), operand(right, INT64_LIMIT)
    if parts[0] is None or parts[1] is None:
        pairs = zip(listed(left, rows), listed(right, rows), strict=True)
        return from_decimals([None if a is None or not b else Decimal(_cut_quotient(int(a), int(b))) for a, b in pairs], type)
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

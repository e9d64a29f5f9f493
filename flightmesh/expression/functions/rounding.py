"""round, round_even, trunc, ceil, floor: on decimals exactly, on floats as DuckDB, on integers to tens and hundreds.

Digits are constants for decimals (they fix the result's type): round(DECIMAL(p,s), n) is DECIMAL(p,n), and DECIMAL(p,0) for n
<= 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.errors import DataError
from flightmesh.expression.arrays import from_values, numeric_values, validity_buffer
from flightmesh.expression.decimal_rounding import Rounding, rescale, round_tens, zeros
from flightmesh.expression.functions.declare import Binding, Datum, Failure, Request, ScalarFunction
from flightmesh.expression.functions.entries import entry
from flightmesh.expression.functions.vary import with_constants
from flightmesh.expression.nodes import Expression, Literal
from flightmesh.expression.signatures import integer_literal
from flightmesh.expression.types import Family, family, integer_bounds

_DIGITS = pa.int32()


def half_away(values: Any) -> Any:
    """Floats to the nearest whole number, ties away from zero."""
    whole = np.trunc(values)
    return np.where(np.abs(values - whole) >= 0.5, whole + np.copysign(1.0, values), whole)


def _rule(args: Sequence[Expression]) -> Binding | None:
    if len(args) not in (1, 2):
        return None
    type = args[0].type
    digits = (_DIGITS,) * (len(args) - 1)
    if len(args) == 2 and family(args[1].type) not in (Family.INTEGER, Family.NULL):
        return None
    match family(type):
        case Family.NULL:
            return Binding((pa.int32(), *digits), pa.int32())
        case Family.INTEGER | Family.FLOAT:
            return Binding((type, *digits), type)
        case Family.DECIMAL:
            return _decimal_binding(args, digits)
    return None


def _decimal_binding(args: Sequence[Expression], digits: tuple[pa.DataType, ...]) -> Binding | None:
    type, count = args[0].type, 0
    if len(args) == 2:
        if isinstance(args[1], Literal) and args[1].is_null:
            return Binding((type, *digits), type)
        literal = integer_literal(args[1])
        if literal is None:
            return None
        count = literal
    if count >= type.scale:
        return Binding((type, *digits), type)
    return Binding((type, *digits), pa.decimal128(type.precision, max(count, 0)))


def _whole_rule(args: Sequence[Expression]) -> Binding | None:
    """ceil and floor: integers become double."""
    if len(args) != 1:
        return None
    type = args[0].type
    match family(type):
        case Family.INTEGER | Family.NULL:
            return Binding((pa.float64(),), pa.float64())
        case Family.FLOAT:
            return Binding((type,), type)
        case Family.DECIMAL:
            return Binding((type,), pa.decimal128(type.precision, 0))
    return None


def _scaled(values: Any, digits: int, function: Callable[[Any], Any]) -> Any:
    """`function` at `digits` decimal places; values whose scaling overflows stay."""
    with np.errstate(all="ignore"):
        if digits >= 0:
            power = 10.0 ** min(digits, 308)
            found = function(values * power) / power
        else:
            power = 10.0 ** min(-digits, 308)
            found = function(values / power) * power
        keep = ~np.isfinite(found) if digits >= 0 else np.isnan(found)
    return np.where(keep, values if digits >= 0 else 0.0, found)


def _float(array: pa.Array, digits: int, function: Callable[[Any], Any]) -> pa.Array:
    values = numeric_values(array)
    with np.errstate(all="ignore"):
        found = function(values) if digits == 0 else _scaled(values.astype(np.float64), digits, function)
    return from_values(found.astype(values.dtype), array.type, validity_buffer(array))


def _integer(array: pa.Array, digits: int, away: bool) -> pa.Array:
    if digits >= 0:
        return array
    low, high = integer_bounds(array.type)
    values = numeric_values(array)
    if 10**-digits > high:
        return from_values(np.zeros(len(array), values.dtype), array.type, validity_buffer(array))
    power = values.dtype.type(10**-digits)
    cut = np.fmod(values, power)
    down = values - cut
    if away:
        with np.errstate(over="ignore"):
            step = np.where(np.abs(cut.astype(np.float64)) * 2 >= float(power), np.where(values < 0, -1.0, 1.0), 0.0) * float(
                power
            )
        moved = down.astype(np.float64) + step
        if bool(((moved > high) | (moved < low)).any()):
            raise DataError("overflow in round")
        down = down + step.astype(values.dtype)
    return from_values(down, array.type, validity_buffer(array))


def _decimal(array: pa.Array, digits: int, rounding: Any, type: pa.DataType) -> pa.Array:
    if digits >= array.type.scale:
        return array
    if digits >= 0:
        return rescale(array, type, rounding)
    if -digits >= array.type.precision - array.type.scale + 1:
        return zeros(array, type)
    return round_tens(array, -digits, rounding, type)


def _kernel(function: Callable[[Any], Any], rounding: Any, away: bool) -> Any:
    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        def run(array: pa.Array, digits: int = 0) -> pa.Array:
            match family(array.type):
                case Family.DECIMAL:
                    return _decimal(array, digits, rounding, request.type)
                case Family.INTEGER:
                    return _integer(array, digits, away)
            return _float(array, digits, function)

        return with_constants(1, run)(args, request)

    return kernel


def _whole_kernel(function: Callable[[Any], Any], rounding: Any) -> Any:
    def run(array: pa.Array, type: pa.DataType) -> pa.Array:
        if family(array.type) is Family.DECIMAL:
            return rescale(array, type, rounding)
        return _float(array, 0, function)

    return lambda args, request: with_constants(1, lambda array: run(array, request.type))(args, request)


def _round_even(array: pa.Array, digits: int) -> pa.Array:
    return _float(array, digits, np.rint)


FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("round", "To so many decimal places (default 0; negative: tens), ties away from zero.", "math", _rule,
                   _kernel(half_away, Rounding.half_away, True),
                   ("round(number) -> same kind",
                    "round(number, INTEGER) -> same kind; for decimals the digits must be constant"),
                   failure=Failure.MAY),
    ScalarFunction("trunc", "To so many decimal places (default 0; negative: tens), towards zero.", "math", _rule,
                   _kernel(np.trunc, Rounding.down, False), ("trunc(number) -> same kind",
                                                             "trunc(number, INTEGER) -> same kind")),
    ScalarFunction("ceil", "Up to a whole number.", "math", _whole_rule, _whole_kernel(np.ceil, Rounding.ceiling),
                   ("ceil(number) -> DOUBLE, FLOAT or DECIMAL(p,0)",), ("ceiling",), Failure.MAY),
    ScalarFunction("floor", "Down to a whole number.", "math", _whole_rule, _whole_kernel(np.floor, Rounding.floor),
                   ("floor(number) -> DOUBLE, FLOAT or DECIMAL(p,0)",), (), Failure.MAY),
    entry("math", "round_even", "To so many decimal places, ties to even.", ("double, int -> double",), with_constants(1,
        _round_even),
          aliases=("roundbankers",)),
)  # fmt: skip

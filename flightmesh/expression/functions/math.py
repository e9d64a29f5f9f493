"""Mathematical functions. Doubles unless said otherwise; outside a function's domain is a DataError where DuckDB has one, else
NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression import decimals
from flightmesh.expression.arrays import boolean_array, boolean_mask, from_values, numeric_values, validity_buffer
from flightmesh.expression.functions.declare import Binding, Datum, DecimalForm, Failure, Request, ScalarFunction
from flightmesh.expression.functions.entries import entry
from flightmesh.expression.functions.vary import per_distinct, with_constants
from flightmesh.expression.nodes import Expression
from flightmesh.expression.types import HUGEINT, Family, family, is_numeric

_DOUBLE = pa.float64()
_MAY = Failure.MAY


def vectorised(function: Callable[..., Any], check: Callable[..., None] | None = None) -> Any:
    """A kernel from a numpy function of all arguments; `check` sees the valid rows only and raises DataError."""

    def run(*arrays: pa.Array, result: pa.DataType) -> pa.Array:
        values = [numeric_values(array) for array in arrays]
        validity = validity_buffer(*arrays)
        if check is not None:
            if validity is None:
                check(*values)
            else:
                kept = np.ones(len(arrays[0]), np.bool_)
                for array in arrays:
                    kept &= boolean_mask(array.is_valid())
                check(*(value[kept] for value in values))
        with np.errstate(all="ignore"):
            found = function(*values)
        return _packed(found, result, validity)

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        return with_constants(len(args), lambda *arrays: run(*arrays, result=request.type))(args, request)

    return kernel


def _packed(values: Any, type: pa.DataType, validity: pa.Buffer | None) -> pa.Array:
    if pa.types.is_boolean(type):
        return boolean_array(values, validity)
    dtype = np.dtype(type.to_pandas_dtype())
    return from_values(values.astype(dtype, copy=False), type, validity)


def _refuse(bad: Callable[..., Any], message: str) -> Callable[..., None]:
    def check(*values: Any) -> None:
        if bool(np.any(bad(*values))):
            raise DataError(message)

    return check


def _logarithm(values: Any) -> None:
    if bool((values == 0).any()):
        raise DataError("cannot take logarithm of zero")
    if bool((values < 0).any()):
        raise DataError("cannot take logarithm of a negative number")


def _based(base: Any, values: Any) -> None:
    _logarithm(values)
    _logarithm(base)
    if bool((base == 1).any()):
        raise DataError("division by zero in a logarithm to base 1")


_unbounded = _refuse(np.isinf, "infinity is out of range of a trigonometric function")
_unit = _refuse(lambda v: np.abs(v) > 1, "the function is undefined outside [-1, 1]")


def _double(name: str, doc: str, function: Any, check: Any = None, *aliases: str, arity: int = 1) -> ScalarFunction:
    signature = f"{', '.join(['double'] * arity)} -> double"
    failure = Failure.NEVER if check is None else _MAY
    return entry("math", name, doc, (signature,), vectorised(function, check), aliases=aliases, failure=failure)


def _same_number(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1:
        return None
    type = pa.int32() if family(args[0].type) is Family.NULL else args[0].type
    return Binding((type,), type) if is_numeric(type) else None


def _abs(args: tuple[Datum, ...], request: Request) -> Datum:
    match family(request.type):
        case Family.DECIMAL:
            return decimals.absolute(args[0], request.type)
        case Family.FLOAT:
            return pc.abs(args[0])
    try:
        return pc.abs_checked(args[0])
    except pa.ArrowInvalid as error:
        raise DataError("overflow in abs") from error


def _sign(args: tuple[Datum, ...], request: Request) -> Datum:
    value = args[0]
    if family(value.type) is Family.FLOAT:
        value = pc.if_else(pc.is_nan(value), pa.scalar(0.0, value.type), value)
    if family(value.type) is Family.DECIMAL:
        value = pc.subtract(pc.greater(value, _zero(value)).cast(pa.int8()), pc.less(value, _zero(value)).cast(pa.int8()))
        return value
    return pc.sign(value).cast(pa.int8())


def _zero(value: Datum) -> pa.Scalar:
    return pa.scalar(Decimal(0), value.type)


def _sign_rule(args: Sequence[Expression]) -> Binding | None:
    found = _same_number(args)
    return None if found is None else Binding(found.args, pa.int8())


def _even(values: Any) -> Any:
    away = np.where(values >= 0, np.ceil(values), np.floor(values))
    odd = np.abs(np.fmod(away, 2)) == 1
    return np.where(odd, away + np.where(away > 0, 1, -1), away)


_FACTORIALS = [math.factorial(n) for n in range(34)]


def _factorial(values: pa.Array) -> pa.Array:
    numbers = numeric_values(values.fill_null(0) if values.null_count else values)
    if bool((numbers < 0).any()):
        raise DataError("the factorial of a negative number is undefined")
    if bool((numbers > 33).any()):
        raise DataError("overflow in factorial")
    table = pa.array(_FACTORIALS, HUGEINT)
    return table.take(values)


def _gamma(value: float) -> float:
    if value == 0:
        raise DataError("cannot take gamma of zero")
    try:
        return math.gamma(value)
    except ValueError:
        return math.nan
    except OverflowError:
        return math.inf


def _lgamma(value: float) -> float:
    if value == 0:
        raise DataError("cannot take log gamma of zero")
    try:
        return math.lgamma(value)
    except (ValueError, OverflowError):
        return math.inf


def _lcm(left: Any, right: Any) -> Any:
    divisor = np.gcd(left, right)
    safe = np.where(divisor == 0, 1, divisor)
    product = np.abs(left // safe).astype(np.float64) * np.abs(right).astype(np.float64)
    if bool((product >= 2.0**63).any()):
        raise DataError("overflow in lcm")
    return np.abs(left // safe * right)


def _random(args: tuple[Datum, ...], request: Request) -> Datum:
    return pa.array(np.random.default_rng().random(request.rows))


def _pi(args: tuple[Datum, ...], request: Request) -> Datum:
    return pa.scalar(math.pi)


def _floor_divide(left: Any, right: Any) -> Any:
    return np.floor(left / right)


def _floor_modulo(left: Any, right: Any) -> Any:
    return left - right * np.floor(left / right)


def _finiteness(function: Any, dates: bool) -> Any:
    """isinf and isfinite: every date and timestamp here is finite."""
    floats = vectorised(function)

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        if family(args[0].type) is Family.FLOAT:
            return floats(args, request)
        return pc.if_else(pc.is_valid(args[0]), pa.scalar(dates), pa.scalar(None, pa.bool_()))

    return kernel


_FINITE = ("float -> bool", "double -> bool", "date -> bool", "timestamp -> bool", "timestamptz -> bool")

FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("abs", "The absolute value, in the argument's type.", "math", _same_number, _abs,
                   ("abs(number) -> same type",),
                   ("@",), _MAY, form=DecimalForm.SCALED),
    ScalarFunction("sign", "-1, 0 or 1.", "math", _sign_rule, _sign, ("sign(number) -> TINYINT",)),
    _double("sqrt", "The square root.", np.sqrt, _refuse(lambda v: v < 0, "cannot take square root of a negative number")),
    _double("cbrt", "The cube root.", np.cbrt),
    _double("exp", "e to the power of the argument.", np.exp),
    _double("ln", "The natural logarithm.", np.log, _logarithm),
    _double("log10", "The logarithm to base 10.", np.log10, _logarithm),
    _double("log2", "The logarithm to base 2.", np.log2, _logarithm),
    entry("math", "log", "The logarithm to base 10, or to the base that is the first of two arguments.",
          ("double -> double", "double, double -> double"),
          lambda args, request: (vectorised(np.log10, _logarithm) if len(args) == 1
                                 else vectorised(lambda b, v: np.log10(v) / np.log10(b), _based))(args, request), failure=_MAY),
    _double("pow", "The first argument to the power of the second.", np.power, None, "power", "**", "^", arity=2),
    _double("sin", "The sine.", np.sin, _unbounded),
    _double("cos", "The cosine.", np.cos, _unbounded),
    _double("tan", "The tangent.", np.tan, _unbounded),
    _double("cot", "The cotangent.", lambda v: 1.0 / np.tan(v), _refuse(lambda v: (v == 0) | np.isinf(v),
                                                                        "out of range of the cotangent")),
    _double("asin", "The arc sine.", np.arcsin, _unit),
    _double("acos", "The arc cosine.", np.arccos, _unit),
    _double("atan", "The arc tangent.", np.arctan),
    _double("atan2", "The angle of the point (second argument, first argument).", np.arctan2, arity=2),
    _double("sinh", "The hyperbolic sine.", np.sinh),
    _double("cosh", "The hyperbolic cosine.", np.cosh),
    _double("tanh", "The hyperbolic tangent.", np.tanh),
    _double("asinh", "The inverse hyperbolic sine.", np.arcsinh),
    _double("acosh", "The inverse hyperbolic cosine.", np.arccosh),
    _double("atanh", "The inverse hyperbolic tangent.", np.arctanh, _unit),
    _double("degrees", "Radians as degrees.", lambda v: v / (math.pi / 180)),
    _double("radians", "Degrees as radians.", lambda v: v * (math.pi / 180)),
    _double("even", "The next even number away from zero.", _even),
    _double("fdiv", "The quotient rounded down.", _floor_divide, arity=2),
    _double("fmod", "The remainder with the sign of the divisor.", _floor_modulo, arity=2),
    entry("math", "gamma", "The gamma function.", ("double -> double",), per_distinct(_gamma), failure=_MAY),
    entry("math", "lgamma", "The logarithm of the gamma function.", ("double -> double",), per_distinct(_lgamma), failure=_MAY),
    entry("math", "factorial", "The factorial.", ("int -> huge",), with_constants(1, _factorial), failure=_MAY, aliases=("!",)),
    entry("math", "greatest_common_divisor", "The greatest common divisor.", ("long, long -> long",), vectorised(np.gcd),
          aliases=("gcd",)),
    entry("math", "least_common_multiple", "The least common multiple.", ("long, long -> long",), vectorised(_lcm),
          aliases=("lcm",),
          failure=_MAY),
    entry("math", "signbit", "Whether the sign bit is set, as for -0.0.", ("float -> bool", "double -> bool"),
          vectorised(np.signbit)),
    entry("math", "isnan", "Whether the value is NaN.", ("float -> bool", "double -> bool"), vectorised(np.isnan)),
    entry("math", "isinf", "Whether the value is infinite.", _FINITE, _finiteness(np.isinf, False)),
    entry("math", "isfinite", "Whether the value is neither infinite nor NaN.", _FINITE, _finiteness(np.isfinite, True)),
    entry("math", "nextafter", "The next float after the first argument towards the second.",
          ("float, float -> float", "double, double -> double"), vectorised(np.nextafter)),
    entry("math", "pi", "The number pi.", ("-> double",), _pi),
    ScalarFunction("random", "A random number from 0 up to 1, new for each row.", "math",
                   lambda args: None if args else Binding((), _DOUBLE),
                   _random, ("random() -> DOUBLE",), volatile=True),
)  # fmt: skip

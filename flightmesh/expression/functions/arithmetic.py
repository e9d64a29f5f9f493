"""Arithmetic operators: `+ - * / // %` and unary minus on numbers, dates and intervals.

Integers are checked: a result outside the type is DataError. Decimals are exact (see `expression.decimals`). `/` gives double
(float for floats). Division by zero comes in variants: `divide`, `int_divide`, `modulo` give what DuckDB gives (inf or NaN,
NULL, NULL); `divide_safe` gives NULL (sqlglot's SAFE_DIVISION dialects); the `*_checked` ones raise DataError, for dialects
where it is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression import datemath, decimal_division, decimals
from flightmesh.expression.arrays import from_values, null_of, numeric_values, validity_buffer
from flightmesh.expression.functions.declare import Binding, Datum, DecimalForm, Failure, Request, ScalarFunction
from flightmesh.expression.nodes import Expression
from flightmesh.expression.signatures import is_text_literal, shared_type
from flightmesh.expression.types import HUGEINT, Family, add_type, decimal_of, family, is_numeric, multiply_type


def _numeric_pair(args: Sequence[Expression]) -> tuple[pa.DataType, pa.DataType, pa.DataType] | None:
    """The types of two numeric operands (NULL and constant text take the other's) and their common type."""
    if len(args) != 2:
        return None
    types = [arg.type for arg in args]
    for here, there in ((0, 1), (1, 0)):
        if (family(types[here]) is Family.NULL or is_text_literal(args[here])) and is_numeric(types[there]):
            types[here] = types[there]
    if all(family(t) is Family.NULL for t in types):
        types = [pa.int32(), pa.int32()]
    if not all(is_numeric(t) for t in types):
        return None
    shared = shared_type([a for a, t in zip(args, types, strict=True) if a.type == t]) or types[0]
    if family(shared) is Family.NULL:
        shared = pa.int32()
    return types[0], types[1], shared


def _decimal_rule(types: tuple[pa.DataType, pa.DataType, pa.DataType], result: pa.DataType | None) -> Binding | None:
    if result is None:
        return None
    return Binding((decimal_of(types[0]), decimal_of(types[1])), result)


def _linear_rule(args: Sequence[Expression]) -> Binding | None:
    types = _numeric_pair(args)
    if types is None:
        return None
    if family(types[2]) is Family.DECIMAL:
        return _decimal_rule(types, add_type(types[0], types[1]))
    return Binding((types[2], types[2]), types[2])


def _add_rule(args: Sequence[Expression]) -> Binding | None:
    return _linear_rule(args) or datemath.add_binding(args)


def _subtract_rule(args: Sequence[Expression]) -> Binding | None:
    return _linear_rule(args) or datemath.subtract_binding(args)


def _multiply_rule(args: Sequence[Expression]) -> Binding | None:
    types = _numeric_pair(args)
    if types is None:
        return datemath.multiply_binding(args)
    if family(types[2]) is Family.DECIMAL:
        return _decimal_rule(types, multiply_type(types[0], types[1]))
    return Binding((types[2], types[2]), types[2])


def _divide_rule(args: Sequence[Expression]) -> Binding | None:
    types = _numeric_pair(args)
    if types is None:
        return datemath.divide_binding(args)
    held = types[2] if family(types[2]) is Family.FLOAT else pa.float64()
    return Binding((held, held), held)


def _int_divide_rule(args: Sequence[Expression]) -> Binding | None:
    types = _numeric_pair(args)
    if types is None:
        return None
    shared = types[2]
    if family(shared) is Family.DECIMAL:
        whole = all(family(t) is Family.INTEGER or t == HUGEINT for t in types[:2])
        shared = HUGEINT if whole else pa.float64()
    return Binding((shared, shared), shared)


def _modulo_rule(args: Sequence[Expression]) -> Binding | None:
    types = _numeric_pair(args)
    if types is None:
        return None
    return Binding((types[2], types[2]), types[2])


def _negate_rule(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1:
        return None
    type = args[0].type
    if family(type) is Family.NULL:
        type = pa.int32()
    if not is_numeric(type) and family(type) is not Family.INTERVAL:
        return None
    return Binding((type,), type)


def _linear_kernel(word: str, fast: Any, exact: Callable[..., Datum], moved: Callable[..., Datum]) -> Any:
    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        left, right = args
        match (family(left.type), family(right.type)):
            case (Family.DECIMAL, Family.DECIMAL):
                return exact(left, right, request.type)
            case (Family.INTEGER | Family.FLOAT, Family.INTEGER | Family.FLOAT):
                return _checked(fast, word, left, right)
        return moved(left, right, request)

    return kernel


def _checked(fast: Any, word: str, left: Datum, right: Datum) -> Datum:
    try:
        return fast(left, right)
    except pa.ArrowInvalid as error:
        raise DataError(f"overflow in {word}") from error


def _divide(args: tuple[Datum, ...], request: Request) -> Datum:
    if family(args[0].type) is Family.INTERVAL:
        return datemath.divide_interval(args[0], args[1])
    return pc.divide(*args)


def _divide_safe(args: tuple[Datum, ...], request: Request) -> Datum:
    if family(args[0].type) is Family.INTERVAL:
        return _divide(args, request)
    return pc.if_else(pc.equal(args[1], pa.scalar(0.0, args[1].type)), null_of(request.type), pc.divide(*args))


def _divide_checked(args: tuple[Datum, ...], request: Request) -> Datum:
    _refuse_zero(args)
    return _divide(args, request)


def _refuse_zero(args: tuple[Datum, ...]) -> None:
    zero = pc.equal(args[1], pa.scalar(0, pa.int64()).cast(args[1].type))
    both = pc.and_(zero, pc.is_valid(args[0]))
    found = both.as_py() if isinstance(both, pa.Scalar) else pc.any(both).as_py()
    if found:
        raise DataError("division by zero")


def _int_divide(args: tuple[Datum, ...], request: Request) -> Datum:
    left, right = args
    match family(request.type):
        case Family.FLOAT:
            zero = pa.scalar(0.0, right.type)
            quotient = pc.divide(left, right)
            return pc.if_else(pc.equal(right, zero), null_of(request.type), quotient)
        case Family.DECIMAL:
            return decimal_division.int_divide(left, right, request.type)
    return _without_zero(pc.divide_checked, "division", left, right, request)


def _without_zero(operation: Any, word: str, left: Datum, right: Datum, request: Request) -> Datum:
    """An integer operation that gives NULL where the divisor is 0."""
    zero = pa.scalar(0, right.type)
    if isinstance(right, pa.Scalar):
        if not right.is_valid or right.as_py() == 0:
            return null_of(request.type)
        return _checked(operation, word, left, right)
    divisor = pc.if_else(pc.equal(right, zero), null_of(right.type), right)
    return _checked(operation, word, left, divisor)


def _modulo(args: tuple[Datum, ...], request: Request) -> Datum:
    left, right = args
    match family(request.type):
        case Family.DECIMAL:
            return decimal_division.modulo(left, right, request.type)
        case Family.FLOAT:
            return _float_modulo(left, right, request)
    return _without_zero(_integer_modulo, "modulo", left, right, request)


def _integer_modulo(left: Datum, right: Datum) -> Datum:
    """The remainder with the sign of the dividend; the smallest integer modulo -1 is 0."""
    if isinstance(left, pa.Scalar) and isinstance(right, pa.Scalar):
        if not (left.is_valid and right.is_valid):
            return null_of(left.type)
        return pa.scalar(int(np.fmod(left.as_py(), right.as_py())), left.type)
    rows = len(left) if isinstance(left, pa.Array) else len(right)
    if any(isinstance(d, pa.Scalar) and not d.is_valid for d in (left, right)):
        return pa.nulls(rows, left.type)
    a = numeric_values(left) if isinstance(left, pa.Array) else left.as_py()
    b = numeric_values(right) if isinstance(right, pa.Array) else right.as_py()
    if isinstance(right, pa.Array):
        b = np.where(b == 0, 1, b)
    dtype = numeric_values(left if isinstance(left, pa.Array) else right).dtype
    return from_values(np.fmod(a, b, dtype=dtype), left.type, validity_buffer(left, right))


def _float_modulo(left: Datum, right: Datum, request: Request) -> Datum:
    if any(isinstance(d, pa.Scalar) and not d.is_valid for d in (left, right)):
        return null_of(request.type)
    a = numeric_values(left) if isinstance(left, pa.Array) else left.as_py()
    b = numeric_values(right) if isinstance(right, pa.Array) else right.as_py()
    with np.errstate(invalid="ignore"):
        values = np.fmod(a, b)
    if np.ndim(values) == 0:
        return pa.scalar(float(values), request.type)
    return from_values(values, request.type, validity_buffer(left, right))


def _zero_checked(inner: Callable[[tuple[Datum, ...], Request], Datum]) -> Callable[[tuple[Datum, ...], Request], Datum]:
    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        _refuse_zero(args)
        return inner(args, request)

    return kernel


def _negate(args: tuple[Datum, ...], request: Request) -> Datum:
    match family(request.type):
        case Family.DECIMAL:
            return decimals.negate(args[0], request.type)
        case Family.INTERVAL:
            return datemath.negate_interval(args[0])
        case Family.FLOAT:
            return pc.negate(args[0])
    if pa.types.is_unsigned_integer(request.type):
        return _checked(pc.subtract_checked, "negation", pa.scalar(0, request.type), args[0])
    try:
        return pc.negate_checked(args[0])
    except pa.ArrowInvalid as error:
        raise DataError("overflow in negation") from error


_add = _linear_kernel("addition", pc.add_checked, decimals.add, datemath.add)
_subtract = _linear_kernel("subtraction", pc.subtract_checked, decimals.subtract, datemath.subtract)
_multiply = _linear_kernel("multiplication", pc.multiply_checked, decimals.multiply, datemath.multiply)

_NUMBERS = "number {0} number -> common type (decimals: by the precision rules)"


_SCALED = frozenset({"add", "subtract", "multiply", "negate"})
"""Operators whose kernels take and give scaled int64 decimals."""


def _operator(
    name: str, symbol: str, doc: str, rule: Any, kernel: Any, usage: tuple[str, ...], *aliases: str
) -> ScalarFunction:
    return ScalarFunction(
        name,
        doc,
        "arithmetic",
        rule,
        kernel,
        usage,
        (symbol, *aliases) if symbol else aliases,
        Failure.MAY,
        operator=symbol or None,
        form=DecimalForm.SCALED if name in _SCALED else DecimalForm.ARROW,
    )


FUNCTIONS: tuple[ScalarFunction, ...] = (
    _operator(
        "add", "+", "The sum; a date or time moved by an interval.", _add_rule, _add,
        (_NUMBERS.format("+"), "DATE + INTEGER -> DATE", "DATE|TIMESTAMP + INTERVAL -> TIMESTAMP", "TIME + INTERVAL -> TIME",
         "DATE + TIME -> TIMESTAMP", "INTERVAL + INTERVAL -> INTERVAL"), "date_add",
    ),
    _operator(
        "subtract", "-", "The difference; days between dates.", _subtract_rule, _subtract,
        (_NUMBERS.format("-"), "DATE - DATE -> BIGINT", "DATE - INTEGER -> DATE", "DATE|TIMESTAMP - INTERVAL -> TIMESTAMP",
         "TIMESTAMP - TIMESTAMP -> INTERVAL", "INTERVAL - INTERVAL -> INTERVAL"),
    ),
    _operator("multiply", "*", "The product.", _multiply_rule, _multiply, (_NUMBERS.format("*"),
                                                                           "INTERVAL * number -> INTERVAL")),
    _operator("divide", "/", "The quotient as a double; inf or NaN for division by 0.", _divide_rule, _divide,
              ("number / number -> DOUBLE (FLOAT for floats)", "INTERVAL / number -> INTERVAL")),
    _operator("int_divide", "//", "The quotient cut to an integer; NULL for division by 0.", _int_divide_rule, _int_divide,
              ("integer // integer -> common type", "number // number -> DOUBLE")),
    _operator("modulo", "%", "The remainder with the sign of the dividend; NULL for division by 0.", _modulo_rule, _modulo,
              (_NUMBERS.format("%"),), "mod"),
    _operator("negate", "", "The number with the other sign.", _negate_rule, _negate, ("- number", "- INTERVAL")),
    _operator("divide_safe", "", "The quotient as a double; NULL for division by 0.", _divide_rule, _divide_safe,
              ("number / number -> DOUBLE",)),
    _operator("divide_checked", "", "The quotient; division by 0 is an error.", _divide_rule, _divide_checked,
              ("number / number -> DOUBLE",)),
    _operator("int_divide_checked", "", "The quotient cut to an integer; division by 0 is an error.", _int_divide_rule,
              _zero_checked(_int_divide), ("integer // integer -> common type",)),
    _operator("modulo_checked", "", "The remainder; division by 0 is an error.", _modulo_rule, _zero_checked(_modulo),
              (_NUMBERS.format("%"),)),
)  # fmt: skip

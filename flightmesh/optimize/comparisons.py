"""Comparisons brought into the shape that scans and kernels like: column first, constant second, no cast around the column.

Handed a comparison with at least one part that is not constant; hands on an equal one. What always holds: a cast is taken
off a column only where it keeps every value and its order, and only when the constant has an exact counterpart in the
column's type.
"""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from flightmesh.expression.nodes import Call, Cast, CastMode, Expression, InList, Literal
from flightmesh.expression.plain import plain, units_a_day
from flightmesh.optimize.booleans import NULL

FLIPPED = {
    "equal": "equal",
    "not_equal": "not_equal",
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
    "is_distinct_from": "is_distinct_from",
    "is_not_distinct_from": "is_not_distinct_from",
}
COMPARISONS = frozenset(FLIPPED)
NULL_SAFE = ("is_distinct_from", "is_not_distinct_from")


def simplify_comparison(node: Call) -> Expression:
    """Literal to the right, casts off the column; NULL compared is NULL."""
    left, right = node.args
    if isinstance(left, Literal):
        left, right = right, left
        node = Call(FLIPPED[node.function], (left, right), node.type, node.at)
    if not isinstance(right, Literal):
        return node
    if right.is_null:
        return _with_null(node, left)
    bare = unwrapped(left, right)
    return node if bare is None else Call(node.function, bare, node.type, node.at)


def _with_null(node: Call, operand: Expression) -> Expression:
    if node.function not in NULL_SAFE:
        return NULL
    return Call("is_not_null" if node.function == "is_distinct_from" else "is_null", (operand,), pa.bool_(), node.at)


def unwrapped(operand: Expression, constant: Literal) -> tuple[Expression, Literal] | None:
    """(the operand without its casts, the constant in its type), or None where not even one can go."""
    bare, value = operand, constant
    while isinstance(bare, Cast) and bare.mode is CastMode.STRICT:
        narrower = exact_constant(value, bare.type, bare.operand.type)
        if narrower is None:
            break
        bare, value = bare.operand, narrower
    return None if bare is operand else (bare, value)


def exact_constant(constant: Literal, wide: pa.DataType, narrow: pa.DataType) -> Literal | None:
    """The constant of type `wide` as one of type `narrow`, if the cast keeps every `narrow` value and this one fits."""
    value = plain(constant.value)
    try:
        if pa.types.is_signed_integer(narrow) and not pa.types.is_temporal(wide):
            return _integer(value, wide, narrow)
        if isinstance(narrow, pa.Decimal128Type) and isinstance(wide, pa.Decimal128Type):
            return _decimal(value, wide, narrow)
        if pa.types.is_date32(narrow) and isinstance(wide, pa.TimestampType) and wide.tz is None:
            return _date(value, wide, narrow)
    except (pa.ArrowInvalid, OverflowError, ValueError):
        return None
    return None


def _integer(value: object, wide: pa.DataType, narrow: pa.DataType) -> Literal | None:
    if isinstance(value, float) and not (pa.types.is_float64(wide) and narrow.bit_width <= 32 and value.is_integer()):
        return None
    if isinstance(value, Decimal) and value != value.to_integral_value():
        return None
    if not isinstance(value, int | float | Decimal) or (pa.types.is_integer(wide) and wide.bit_width < narrow.bit_width):
        return None
    return Literal(pa.scalar(int(value), narrow))


def _decimal(value: object, wide: pa.Decimal128Type, narrow: pa.Decimal128Type) -> Literal | None:
    if (
        wide.scale < narrow.scale
        or wide.precision - wide.scale < narrow.precision - narrow.scale
        or not isinstance(value, Decimal)
    ):
        return None
    exact = value.quantize(Decimal(1).scaleb(-narrow.scale))
    return Literal(pa.scalar(exact, narrow)) if exact == value else None


def _date(value: int | None, wide: pa.TimestampType, narrow: pa.DataType) -> Literal | None:
    if value is None:
        return None
    days, rest = divmod(value, units_a_day(wide.unit))
    return None if rest else Literal(pa.scalar(days, pa.int32()).cast(narrow))


def simplify_in(node: InList) -> Expression:
    """Without repetitions and casts; one option is an equality."""
    operand = node.operand
    options = tuple(dict.fromkeys(node.options)) if len(node.options) > 1 else node.options
    bare = [pair for o in options if not o.is_null and (pair := unwrapped(operand, o)) is not None]
    if bare and len(bare) == len(options) and all(inner is bare[0][0] for inner, _ in bare):
        operand, options = bare[0][0], tuple(option for _, option in bare)
    if len(options) == 1:
        return NULL if options[0].is_null else Call("equal", (operand, options[0]), pa.bool_())
    return node if operand is node.operand and len(options) == len(node.options) else InList(operand, options)

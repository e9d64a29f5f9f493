"""Expressions made smaller without changing what they give: constants computed, identities removed, comparisons brought into
one shape.

Handed an expression; hands on an equal one of the same type. What always holds: three-valued logic is kept to the letter,
an expression that fails still fails for the same rows or is left alone, and a constant that would fail is left for the
query to fail on.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from flightmesh.errors import FlightmeshError
from flightmesh.expression.lower import evaluate_constant
from flightmesh.expression.nodes import (
    Call,
    Case,
    Cast,
    CastMode,
    Column,
    Expression,
    InList,
    Literal,
    When,
    children,
    conjuncts,
    with_children,
)
from flightmesh.expression.registry import scalar_function
from flightmesh.optimize.booleans import disjuncts, is_false, is_null, is_true, simplify_and, simplify_not, simplify_or
from flightmesh.optimize.comparisons import COMPARISONS, simplify_comparison, simplify_in

FLAT: dict[str, tuple[Callable[[Expression], tuple[Expression, ...]], Callable[[Call], Expression]]] = {
    "and": (conjuncts, simplify_and),
    "or": (disjuncts, simplify_or),
}

NO_OP_RIGHT = {"add": 0, "subtract": 0, "multiply": 1, "divide": 1, "int_divide": 1}
NO_OP_LEFT = {"add": 0, "multiply": 1}


def fold(expression: Expression) -> Expression:
    """The expression simplified bottom-up."""
    if isinstance(expression, Column | Literal):
        return expression
    if isinstance(expression, Call) and expression.function in FLAT:
        return _flat(expression)
    old = children(expression)
    new = tuple(fold(part) for part in old)
    if any(a is not b for a, b in zip(old, new, strict=True)):
        expression = with_children(expression, new)
    return _node(expression)


def _flat(node: Call) -> Expression:
    """Nested ANDs or ORs are simplified once, all operands together: level by level the work would grow with the square."""
    flatten, simplify = FLAT[node.function]
    old = flatten(node)
    new = [fold(part) for part in old]
    if len(old) != len(node.args) or any(a is not b for a, b in zip(old, new, strict=True)):
        node = Call(node.function, tuple(new), node.type, node.at)
    return simplify(node)


def _node(node: Expression) -> Expression:
    match node:
        case Column() | Literal():
            return node
        case Call(function="not", args=(operand,)) if not isinstance(operand, Literal):
            return simplify_not(operand, node)
        case Case():
            return _case(node)
        case _:
            pass
    if all(isinstance(part, Literal) for part in children(node)):
        return _computed(node)
    match node:
        case Call(function=name) if name in COMPARISONS:
            return simplify_comparison(node)
        case Call(function=name) if name in NO_OP_RIGHT:
            return _identity(node)
        case Call(function="coalesce"):
            return _coalesce(node)
        case Cast():
            return _cast(node)
        case InList():
            return simplify_in(node)
        case _:
            return node


def _computed(node: Expression) -> Expression:
    if isinstance(node, Call) and scalar_function(node.function).volatile:
        return node
    try:
        return evaluate_constant(node)
    except FlightmeshError:
        return node


def _case(node: Case) -> Expression:
    arms: list[When] = []
    otherwise = node.otherwise
    for arm in node.whens:
        if is_true(arm.condition):
            otherwise = arm.value
            break
        if not is_false(arm.condition) and not is_null(arm.condition):
            arms.append(arm)
    if not arms:
        return otherwise if otherwise is not None else Literal(pa.scalar(None, node.type))
    if len(arms) == len(node.whens) and otherwise is node.otherwise:
        return node
    return Case(tuple(arms), otherwise, node.type)


def _identity(node: Call) -> Expression:
    """x + 0, x * 1 and their like, where the type stays as it is; x * 0 is not 0 for NULL and NaN."""
    if len(node.args) != 2:
        return node
    left, right = node.args
    if left.type == node.type and _is_number(right, NO_OP_RIGHT[node.function]) and not _signed_zero(node):
        return left
    if (
        node.function in NO_OP_LEFT
        and right.type == node.type
        and _is_number(left, NO_OP_LEFT[node.function])
        and not _signed_zero(node)
    ):
        return right
    return node


def _signed_zero(node: Call) -> bool:
    """-0.0 + 0 is 0.0: additions of floats are left alone."""
    return pa.types.is_floating(node.type) and node.function == "add"


def _is_number(node: Expression, number: int) -> bool:
    if not isinstance(node, Literal) or node.is_null:
        return False
    kind = node.type
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        return bool(node.value.as_py() == number)
    return False


def _coalesce(node: Call) -> Expression:
    parts: list[Expression] = []
    for arg in node.args:
        if is_null(arg):
            continue
        parts.append(arg)
        if isinstance(arg, Literal):
            break
    if not parts:
        return Literal(pa.scalar(None, node.type))
    if len(parts) == 1:
        return parts[0]
    return node if len(parts) == len(node.args) else Call(node.function, tuple(parts), node.type, node.at)


def _cast(node: Cast) -> Expression:
    if node.operand.type == node.type:
        return node.operand
    inner = node.operand
    if isinstance(inner, Cast) and inner.mode is node.mode and inner.operand.type == node.type and _widens(inner):
        return inner.operand
    return node


def _widens(cast: Cast) -> bool:
    """Whether every value of the operand's type is kept exactly, so that casting back is the identity."""
    source, target = cast.operand.type, cast.type
    if pa.types.is_signed_integer(source) and pa.types.is_signed_integer(target):
        return bool(source.bit_width <= target.bit_width)
    if pa.types.is_integer(source) and pa.types.is_float64(target):
        return bool(source.bit_width <= 32)
    if pa.types.is_decimal(source) and pa.types.is_decimal(target):
        return bool(target.scale >= source.scale and target.precision - target.scale >= source.precision - source.scale)
    return cast.mode is CastMode.STRICT and pa.types.is_date(source) and pa.types.is_timestamp(target)

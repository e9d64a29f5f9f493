"""What can be said of an expression without running it: may it fail, is it constant, does NULL make it not true.

Handed typed expressions, hands on facts. What always holds: the answers err on the safe side (may fail, not constant, not
rejecting).
"""

from __future__ import annotations

from collections.abc import Collection

from flightmesh.expression.casts import cast_may_fail
from flightmesh.expression.functions.declare import Failure, Nulls
from flightmesh.expression.nodes import Call, Case, Cast, CastMode, Column, Expression, InList, Literal, children, walk
from flightmesh.expression.registry import scalar_function
from flightmesh.expression.types import Family, family
from flightmesh.ids import ColumnId

_SAFE_FLOAT = frozenset({"add", "subtract", "multiply", "divide", "int_divide", "modulo", "negate", "divide_safe"})
_SAFE_ALWAYS = frozenset({"divide", "divide_safe", "modulo"})


def may_fail(expr: Expression) -> bool:
    """Whether evaluating the expression on some row can raise DataError."""
    return any(_node_may_fail(node) for node in walk(expr))


def _node_may_fail(node: Expression) -> bool:
    match node:
        case Cast(operand=operand, type=type, mode=mode):
            return mode is CastMode.STRICT and cast_may_fail(operand.type, type)
        case Call(function=name, type=type):
            if scalar_function(name).failure is Failure.NEVER:
                return False
            if name in _SAFE_ALWAYS and family(type) in (Family.INTEGER, Family.FLOAT, Family.DECIMAL):
                return False
            return not (name in _SAFE_FLOAT and (family(type) is Family.FLOAT or _fits(node)))
        case _:
            return False


def _fits(call: Call) -> bool:
    """Whether a decimal sum or product has room for every value of its operands."""
    if family(call.type) is not Family.DECIMAL or any(family(arg.type) is not Family.DECIMAL for arg in call.args):
        return False
    types = [arg.type for arg in call.args]
    if call.function == "negate":
        return True
    if call.function == "multiply":
        return bool(sum(t.precision for t in types) <= call.type.precision)
    if call.function in ("add", "subtract"):
        whole = max(t.precision - t.scale for t in types)
        return bool(whole + 1 <= call.type.precision - call.type.scale)
    return False


def is_volatile(expr: Expression) -> bool:
    """Whether two evaluations may differ (random())."""
    return any(isinstance(node, Call) and scalar_function(node.function).volatile for node in walk(expr))


def is_constant(expr: Expression) -> bool:
    """Whether the expression reads no column and always gives the same value."""
    return not any(isinstance(node, Column) for node in walk(expr)) and not is_volatile(expr)


def gives_null(expr: Expression, ids: Collection[ColumnId]) -> bool:
    """Whether the expression is provably NULL when all columns of `ids` are NULL."""
    match expr:
        case Column(id=id):
            return id in ids
        case Literal():
            return expr.is_null
        case Cast(operand=operand) | InList(operand=operand):
            return gives_null(operand, ids)
        case Call(function=name, args=args):
            if scalar_function(name).nulls is Nulls.PROPAGATE:
                return any(gives_null(arg, ids) for arg in args)
            if name in ("and", "or", "coalesce", "ifnull", "greatest", "least"):
                return all(gives_null(arg, ids) for arg in args)
            if name == "between":
                return gives_null(args[0], ids)
            return name == "nullif" and gives_null(args[0], ids)
        case Case(whens=whens, otherwise=otherwise):
            values = [when.value for when in whens] + ([] if otherwise is None else [otherwise])
            return all(gives_null(value, ids) for value in values)


def null_rejecting(expr: Expression, ids: Collection[ColumnId]) -> bool:
    """Whether a predicate is provably false or NULL when all columns of `ids` are NULL."""
    if isinstance(expr, Literal):
        return expr.is_null or expr.value.as_py() is False
    if isinstance(expr, Call):
        match expr.function:
            case "and":
                return any(null_rejecting(arg, ids) for arg in expr.args)
            case "or":
                return all(null_rejecting(arg, ids) for arg in expr.args)
            case "is_not_null" | "is_true" | "is_false":
                return gives_null(expr.args[0], ids)
            case "not":
                return _false_rejecting(expr.args[0], ids)
    return gives_null(expr, ids)


def _false_rejecting(expr: Expression, ids: Collection[ColumnId]) -> bool:
    """Whether a predicate is provably true or NULL when all columns of `ids` are NULL."""
    if isinstance(expr, Call):
        match expr.function:
            case "is_null" | "is_not_true" | "is_not_false":
                return gives_null(expr.args[0], ids)
            case "not":
                return null_rejecting(expr.args[0], ids)
            case "or":
                return any(_false_rejecting(arg, ids) for arg in expr.args)
            case "and":
                return all(_false_rejecting(arg, ids) for arg in expr.args)
    return gives_null(expr, ids)


def size(expr: Expression) -> int:
    """Nodes in the expression."""
    return 1 + sum(size(part) for part in children(expr))

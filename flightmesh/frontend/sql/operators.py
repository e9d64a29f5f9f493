"""Binds operators: AND, IS, BETWEEN, IN, comparisons, CASE, CAST, division, and functions whose NULLs are the dialect's.

Handed a binder and an operator's node; hands on the typed expression. What always holds: a row is compared value by
value, and a typed literal (DATE '2020-01-01', NULL::INTEGER) is a literal, not a cast.
"""

from __future__ import annotations

import re
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from flightmesh.expression.nodes import CastMode, Expression, Literal
from flightmesh.expression.registry import bind_call, bind_case, bind_cast, bind_in, coerce, unify
from flightmesh.expression.types import Family, family, is_string, sql_type_name
from flightmesh.frontend.sql import subquery
from flightmesh.frontend.sql.division import bind_division
from flightmesh.frontend.sql.literals import NULL, text
from flightmesh.frontend.sql.quantified import FUNCTIONS, bind_quantified, quantifier
from flightmesh.frontend.sql.rows import compare_rows, is_row
from flightmesh.frontend.sql.source import Source
from flightmesh.frontend.sql.type_names import arrow_type

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder

_FOLDED = frozenset({Family.DATE, Family.TIMESTAMP, Family.TIME, Family.INTERVAL})
"""Types whose constant text is read at once."""


def connected(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """AND and OR: a chain of one of them is one call of all operands."""
    kind = type(node)
    parts: list[exp.Expr] = []
    rest = [node]
    while rest:
        part = rest.pop()
        if isinstance(part, kind):
            rest += [part.args["expression"], part.this]
        else:
            parts.append(part)
    return bind_call(kind.key, [binder.bind(part) for part in parts], binder.at(node))


def negated(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """NOT x, and x IS NOT ..."""
    inner = node.this.unnest()
    if isinstance(inner, exp.Is):
        return _is(binder, inner, "not_")
    return bind_call("not", (binder.bind(inner),), binder.at(node))


def tested(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """X IS NULL, IS TRUE, IS FALSE."""
    return _is(binder, node, "")


def _is(binder: ExpressionBinder, node: exp.Expr, negation: str) -> Expression:
    operand, what = binder.bind(node.this), node.args["expression"]
    if isinstance(what, exp.Null):
        return bind_call(f"is_{negation}null", (operand,), binder.at(node))
    if isinstance(what, exp.Boolean):
        return bind_call(f"is_{negation}{'true' if what.this else 'false'}", (operand,), binder.at(node))
    raise binder.context.source.unsupported(f"IS {what.sql()}", node)


def minus(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """Minus x; the largest negative integers are read with their sign."""
    inner = node.this
    if isinstance(inner, exp.Literal) and not inner.is_string and inner.this.isdigit():
        return binder.bind(exp.Literal(this=f"-{inner.this}", is_string=False).update_positions(inner))
    return bind_call("negate", (binder.bind(inner),), binder.at(node))


def between(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """X BETWEEN low AND high, as the two comparisons that it is short for."""
    at, operand = binder.at(node), binder.bind(node.this)
    low, high = binder.bind(node.args["low"]), binder.bind(node.args["high"])
    if node.args.get("symmetric"):
        low, high = bind_call("least", (low, high), at), bind_call("greatest", (low, high), at)
    bounds = (bind_call("greater_equal", (operand, low), at), bind_call("less_equal", (operand, high), at))
    return bind_call("and", bounds, at)


def in_list(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """X IN (a, b), (x, y) IN ((a, b), ...), x IN (subquery)."""
    if node.args.get("query") is not None:
        return subquery.bind_in(binder, node)
    if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Values):
        return subquery.bind_mark(binder, node, node.expressions[0], "equal", "in")
    field = node.args.get("field")
    if field is not None:
        return _in_value(binder, node, binder.bind(field))
    if node.args.get("unnest") is not None:
        raise binder.context.source.unsupported("IN UNNEST", node)
    if is_row(node.this.unnest()):
        rows = [_compared_rows(binder, "equal", node.this, option, node) for option in node.expressions]
        return rows[0] if len(rows) == 1 else bind_call("or", rows, binder.at(node))
    options = [binder.bind(option) for option in node.expressions]
    if _is_bracketed(node, binder.context.source):
        return _in_value(binder, node, bind_call("list_value", unify(options, "a list", binder.at(node)), binder.at(node)))
    operand = binder.bind(node.this)
    if len(options) == 1 and family(options[0].type) is Family.LIST and family(operand.type) is not Family.LIST:
        return bind_call("list_contains", (options[0], operand), binder.at(node))
    return bind_in(operand, options, binder.at(node))


def _is_bracketed(node: exp.Expr, source: Source) -> bool:
    """Whether a list value was written: the parser reads `x IN [1, 2]` as `x IN (1, 2)`, which differs in NULLs."""
    rest = source.after(node.this)
    if rest is not None:
        return re.match(r"[\s)]*(NOT\s+)?IN\s*\[", rest, re.IGNORECASE) is not None
    before = source.before(node.expressions[0])
    return before is not None and before.endswith("[")


def _in_value(binder: ExpressionBinder, node: exp.Expr, elements: Expression) -> Expression:
    """Whether a list has the value: a NULL in the list hides nothing."""
    if family(elements.type) not in (Family.LIST, Family.NULL):
        raise binder.context.source.error(
            f"IN takes values in parentheses, a query or a list, not {sql_type_name(elements.type)}", node
        )
    return bind_call("list_contains", (elements, binder.bind(node.this)), binder.at(node))


def compared(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """A comparison of values, of rows, or with ANY or ALL of a query's rows."""
    left, right = node.this, node.args["expression"]
    word = quantifier(right)
    if word is not None:
        return bind_quantified(binder, node, word)
    if isinstance(left, exp.Any | exp.All):
        raise binder.context.source.error(f"{left.key.upper()} stands on the right side of a comparison", left)
    if is_row(left.unnest()) or is_row(right.unnest()):
        return _compared_rows(binder, FUNCTIONS[type(node)], left, right, node)
    return binder.call(node)


def _compared_rows(binder: ExpressionBinder, function: str, left: exp.Expr, right: exp.Expr, node: exp.Expr) -> Expression:
    mine, other = _row(binder, left), _row(binder, right)
    if len(mine) != len(other):
        raise binder.context.source.error(f"a row of {len(mine)} values is compared with one of {len(other)}", right)
    return compare_rows(function, mine, other, binder.at(node))


def _row(binder: ExpressionBinder, node: exp.Expr) -> list[Expression]:
    """The values of a row: one that is written out, the only one of a subquery, or a single value."""
    inner = node.unnest()
    if is_row(inner):
        return [binder.bind(part) for part in inner.expressions]
    return subquery.bind_row(binder, inner) if isinstance(inner, exp.Query) else [binder.bind(node)]


def case(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """CASE WHEN ..., and CASE x WHEN value ... as its comparisons."""
    operand = None if node.this is None else binder.bind(node.this)
    arms = []
    for arm in node.args["ifs"]:
        condition = binder.bind(arm.this)
        if operand is not None:
            condition = bind_call("equal", (operand, condition), binder.at(arm))
        arms.append((condition, binder.bind(arm.args["true"])))
    default = node.args.get("default")
    return bind_case(arms, None if default is None else binder.bind(default), binder.at(node))


def conditional(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """IF(condition, a, b)."""
    false = node.args.get("false")
    arm = (binder.bind(node.this), binder.bind(node.args["true"]))
    return bind_case((arm,), None if false is None else binder.bind(false), binder.at(node))


def cast(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """CAST and TRY_CAST, `x::type` and typed literals."""
    target = arrow_type(node.args["to"], binder.context.source, node)
    mode = CastMode.TRY if isinstance(node, exp.TryCast) else CastMode.STRICT
    return converted(binder, _to_even(binder.bind(node.this), node), target, mode, node)


def converted(binder: ExpressionBinder, operand: Expression, target: pa.DataType, mode: CastMode, node: exp.Expr) -> Expression:
    """A bound value as another type; constant text becomes a literal where the type is one of time."""
    at = binder.at(node)
    if isinstance(operand, Literal) and mode is CastMode.STRICT:
        folded = is_string(operand.type) and family(target) in _FOLDED
        if folded or operand.is_null:
            return coerce(operand, target, at)
    return bind_cast(operand, target, mode, at)


def _to_even(operand: Expression, node: exp.Expr) -> Expression:
    """A float that becomes HUGEINT, rounded as one that becomes any other integer: the type that plays HUGEINT is a decimal, to
    which floats are rounded half away from zero."""
    kind = node.args["to"].this
    if kind != exp.DType.INT128 or family(operand.type) is not Family.FLOAT:
        return operand
    return bind_call("round_even", (operand, Literal(pa.scalar(0, pa.int32()))))


def concatenated(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """CONCAT: NULLs are left out, or make the whole NULL, as the dialect has it."""
    parts = [binder.bind(part) for part in node.expressions]
    if node.args.get("coalesce") or not parts:
        return bind_call("concat", parts, binder.at(node))
    if len(parts) == 1:
        parts.append(text(""))
    return reduce(lambda left, right: bind_call("concat_operator", (left, right), binder.at(node)), parts)


def extreme(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """GREATEST and LEAST: NULLs are left out, or make the whole NULL, as the dialect has it."""
    at = binder.at(node)
    parts = [binder.bind(part) for part in (node.this, *node.expressions)]
    picked = bind_call(node.key, parts, at)
    if node.args.get("ignore_nulls"):
        return picked
    missing = [bind_call("is_null", (part,), at) for part in parts]
    return bind_case(((bind_call("or", missing, at) if len(missing) > 1 else missing[0], NULL),), picked, at)


def divided(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """Division and remainder."""
    operands = (binder.bind(node.this), binder.bind(node.args["expression"]))
    return bind_division(node, operands, binder.context, binder.at(node))

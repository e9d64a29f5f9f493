"""Expressions as readable SQL: columns as `name#id`, as few parentheses as precedence allows.

Handed a typed expression, hands on one line. What always holds: equal texts mean equal expressions (ids tell columns apart),
and reading never fails, also for nodes the binder would refuse.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from flightmesh.expression.nodes import (
    AggregateCall,
    Call,
    Case,
    Cast,
    CastMode,
    Column,
    Expression,
    InList,
    Literal,
    SortKey,
    substitute,
    walk,
)
from flightmesh.expression.plain import plain
from flightmesh.expression.textcasts import to_text
from flightmesh.expression.types import Family, family, sql_type_name
from flightmesh.ids import ColumnId

_NO_ID = ColumnId(-1)
_OR, _AND, _NOT, _COMPARE, _CONCAT, _ADD, _MULTIPLY, _NEGATE, _ATOM = range(1, 10)

_BINARY: dict[str, tuple[str, int]] = {
    "equal": ("=", _COMPARE), "not_equal": ("<>", _COMPARE), "less": ("<", _COMPARE), "less_equal": ("<=", _COMPARE),
    "greater": (">", _COMPARE), "greater_equal": (">=", _COMPARE), "is_distinct_from": ("IS DISTINCT FROM", _COMPARE),
    "is_not_distinct_from": ("IS NOT DISTINCT FROM", _COMPARE), "like": ("LIKE", _COMPARE), "ilike": ("ILIKE", _COMPARE),
    "not_like": ("NOT LIKE", _COMPARE), "not_ilike": ("NOT ILIKE", _COMPARE),
    "concat_operator": ("||", _CONCAT), "add": ("+", _ADD), "subtract": ("-", _ADD), "multiply": ("*", _MULTIPLY),
    "divide": ("/", _MULTIPLY), "int_divide": ("//", _MULTIPLY), "modulo": ("%", _MULTIPLY), "divide_checked": ("/",
        _MULTIPLY), "divide_safe": ("/", _MULTIPLY),
    "int_divide_checked": ("//", _MULTIPLY), "modulo_checked": ("%", _MULTIPLY),
}  # fmt: skip
_POSTFIX = {
    "is_null": "IS NULL", "is_not_null": "IS NOT NULL", "is_true": "IS TRUE", "is_not_true": "IS NOT TRUE",
    "is_false": "IS FALSE",
    "is_not_false": "IS NOT FALSE",
}  # fmt: skip


def format_expression(expr: Expression) -> str:
    """The expression as one line of SQL."""
    return _format(expr)[0]


def format_for_people(expr: Expression) -> str:
    """The same with columns by their names alone."""
    return format_expression(substitute(expr, {c.id: replace(c, id=_NO_ID) for c in walk(expr) if isinstance(c, Column)}))


def format_all(parts: Iterable[Expression]) -> str:
    """Predicates that all have to hold: one AND, with an OR among them in parentheses."""
    listed = [_format(part) for part in parts]
    return listed[0][0] if len(listed) == 1 else " AND ".join(f"({text})" if level <= _OR else text for text, level in listed)


def format_aggregate(call: AggregateCall) -> str:
    """An aggregate call as SQL, with DISTINCT and FILTER."""
    name = "count" if call.function == "count_star" else call.function
    inner = "*" if call.function == "count_star" else ", ".join(format_expression(arg) for arg in call.args)
    order = f" ORDER BY {', '.join(format_sort_key(key) for key in call.order)}" if call.order else ""
    text = f"{name}({'DISTINCT ' if call.distinct else ''}{inner}{order})"
    return text if call.filter is None else f"{text} FILTER (WHERE {format_expression(call.filter)})"


def format_sort_key(key: SortKey) -> str:
    """A sort key as SQL."""
    order = " DESC" if key.descending else ""
    return f"{format_expression(key.expression)}{order}{' NULLS FIRST' if key.nulls_first else ''}"


def _format(expr: Expression) -> tuple[str, int]:
    """The text and how tightly its outermost operator binds."""
    match expr:
        case Column(name=name, id=id):
            return name if id == _NO_ID else f"{name}#{id}", _ATOM
        case Literal(value=value):
            return format_literal(value), _ATOM
        case Cast(operand=operand, type=type, mode=mode):
            word = "CAST" if mode is CastMode.STRICT else "TRY_CAST"
            return f"{word}({format_expression(operand)} AS {sql_type_name(type)})", _ATOM
        case Case():
            return _case(expr), _ATOM
        case InList(operand=operand, options=options):
            inner = ", ".join(format_literal(option.value) for option in options)
            return f"{_inside(operand, _COMPARE + 1)} IN ({inner})", _COMPARE
        case Call():
            return _call(expr)


def _inside(expr: Expression, least: int) -> str:
    text, binding = _format(expr)
    return text if binding >= least else f"({text})"


def _call(call: Call) -> tuple[str, int]:
    name, args = call.function, call.args
    if name in ("and", "or"):
        level = _AND if name == "and" else _OR
        return f" {name.upper()} ".join(_inside(arg, level) for arg in args), level
    if name in _BINARY and len(args) == 2:
        symbol, level = _BINARY[name]
        left = _inside(args[0], level + (level == _COMPARE))
        return f"{left} {symbol} {_inside(args[1], level + 1)}", level
    if name in _POSTFIX:
        return f"{_inside(args[0], _COMPARE + 1)} {_POSTFIX[name]}", _COMPARE
    if name == "not":
        return f"NOT {_inside(args[0], _NOT)}", _NOT
    if name == "negate":
        return f"-{_inside(args[0], _ATOM)}", _NEGATE
    if name == "between":
        parts = [_inside(arg, _CONCAT) for arg in args]
        return f"{parts[0]} BETWEEN {parts[1]} AND {parts[2]}", _COMPARE
    return f"{name}({', '.join(format_expression(arg) for arg in args)})", _ATOM


def _case(expr: Case) -> str:
    arms = [f"WHEN {format_expression(arm.condition)} THEN {format_expression(arm.value)}" for arm in expr.whens]
    if expr.otherwise is not None:
        arms.append(f"ELSE {format_expression(expr.otherwise)}")
    return f"CASE {' '.join(arms)} END"


def format_literal(scalar: pa.Scalar) -> str:
    """A constant as SQL: numbers bare, text quoted, dates and others with their type's name before them."""
    if not scalar.is_valid:
        return "NULL"
    found = family(scalar.type)
    value: Any = plain(scalar)
    match found:
        case Family.STRING:
            return "'" + str(value).replace("'", "''") + "'"
        case Family.BOOLEAN:
            return "true" if value else "false"
        case Family.INTEGER:
            return str(value)
        case Family.DECIMAL:
            return f"{value:f}"
        case Family.FLOAT:
            return repr(value)
        case Family.DATE | Family.TIMESTAMP | Family.TIME | Family.INTERVAL | Family.BINARY:
            text = to_text(pa.array([scalar], scalar.type))[0].as_py()
            return f"{sql_type_name(scalar.type)} '{text}'"
        case Family.LIST:
            return f"[{', '.join(format_literal(element) for element in scalar.values)}]"
        case _:
            return str(value)

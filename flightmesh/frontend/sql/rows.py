"""Comparisons of row values: `(a, b) < (c, d)`, and of rows with those of subqueries.

Handed operands as lists of typed values; hands on one condition. What always holds: rows compare as the SQL standard has it,
by their first values that differ, and a NULL makes unknown what it could decide.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from flightmesh.errors import Position
from flightmesh.expression.nodes import Expression
from flightmesh.expression.registry import bind_call

ORDERS = {"less": "less", "less_equal": "less", "greater": "greater", "greater_equal": "greater"}
"""How the values before the last one differ where rows are in this order."""


def is_row(node: exp.Expr) -> bool:
    """(a, b) or row(a, b)."""
    return isinstance(node, exp.Tuple) or (isinstance(node, exp.Anonymous) and node.name.lower() == "row")


def compare_rows(function: str, left: Sequence[Expression], right: Sequence[Expression], at: Position | None) -> Expression:
    """The comparison of two rows of as many values."""
    pairs = list(zip(left, right, strict=True))
    if function in ORDERS:
        return _ordered(function, pairs, at)
    parts = [bind_call(function, pair, at) for pair in pairs]
    if len(parts) == 1:
        return parts[0]
    return bind_call("or" if function in ("not_equal", "is_distinct_from") else "and", parts, at)


def _ordered(function: str, pairs: list[tuple[Expression, Expression]], at: Position | None) -> Expression:
    """Ordered by the first values, or equal in those and ordered by the rest."""
    result = bind_call(function, pairs[-1], at)
    for pair in reversed(pairs[:-1]):
        rest = bind_call("and", (bind_call("equal", pair, at), result), at)
        result = bind_call("or", (bind_call(ORDERS[function], pair, at), rest), at)
    return result

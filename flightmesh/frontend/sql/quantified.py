"""Binds comparisons with ANY, SOME and ALL of a subquery's rows, or of a list.

Handed a comparison whose right side is quantified; hands on a mark, as IN does. What always holds: `x < ALL (...)` is
NOT (x >= ANY (...)), so that no row makes ALL true and ANY false, and a NULL makes unknown only what it could decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from flightmesh.expression.nodes import Expression
from flightmesh.expression.registry import bind_call
from flightmesh.expression.types import Family, family, sql_type_name
from flightmesh.frontend.sql.subquery import bind_mark

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder

FUNCTIONS: dict[type[exp.Expr], str] = {
    exp.EQ: "equal",
    exp.NEQ: "not_equal",
    exp.LT: "less",
    exp.LTE: "less_equal",
    exp.GT: "greater",
    exp.GTE: "greater_equal",
    exp.NullSafeEQ: "is_not_distinct_from",
    exp.NullSafeNEQ: "is_distinct_from",
}
"""What comparisons are called."""
_NEGATED = {
    "equal": "not_equal",
    "not_equal": "equal",
    "less": "greater_equal",
    "less_equal": "greater",
    "greater": "less_equal",
    "greater_equal": "less",
    "is_distinct_from": "is_not_distinct_from",
    "is_not_distinct_from": "is_distinct_from",
}
_WORDS = {"any": "ANY", "some": "ANY", "all": "ALL"}


def quantifier(node: exp.Expr) -> str | None:
    """ANY or ALL, where a node is one of them. The parser takes `ALL (VALUES ...)` for a call."""
    if isinstance(node, exp.Any | exp.All):
        return _WORDS[node.key]
    if isinstance(node, exp.Anonymous) and len(node.expressions) == 1:
        return _WORDS.get(node.name.lower())
    return None


def bind_quantified(binder: ExpressionBinder, node: exp.Expr, word: str) -> Expression:
    """`x < ANY (subquery)`, `x = ALL (subquery)`; on the left may stand a row."""
    right = node.args["expression"]
    query = right.expressions[0] if isinstance(right, exp.Anonymous) else right.this
    if not isinstance(query.unnest(), exp.Query | exp.Values):
        return _with_list(binder, node, query, word)
    function = FUNCTIONS[type(node)]
    if word == "ANY":
        return bind_mark(binder, node, query, function, "any")
    found = bind_mark(binder, node, query, _NEGATED[function], "all")
    return bind_call("not", (found,), binder.at(node))


def _with_list(binder: ExpressionBinder, node: exp.Expr, query: exp.Expr, word: str) -> Expression:
    """With ANY element of a list, or ALL."""
    operand, elements = binder.bind(node.this), binder.bind(query)
    if family(elements.type) not in (Family.LIST, Family.NULL):
        raise binder.context.source.error(f"{word} is of a query or a list, not of {sql_type_name(elements.type)}", query)
    function, at = FUNCTIONS[type(node)], binder.at(node)
    if word == "ANY":
        return bind_call(f"{function}_any", (operand, elements), at)
    return bind_call("not", (bind_call(f"{_NEGATED[function]}_any", (operand, elements), at),), at)

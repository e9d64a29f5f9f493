"""Binds lists: `[a, b]`, `ARRAY[a, b]`.

Handed a binder and a list's node; hands on the typed expression. What always holds: elements get one type as the arms of a CASE
do, and a list of nothing is a list of NULLs' type, which yields to any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from flightmesh.expression.nodes import Expression
from flightmesh.expression.registry import bind_call, unify

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder


def array(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """A list of values."""
    source = binder.context.source
    for part in node.expressions:
        if isinstance(part, exp.Comprehension):
            raise source.unsupported("list comprehensions", part, "unnest the list in a subquery")
        if isinstance(part, exp.Query):
            raise source.unsupported("ARRAY over a query", part, "write (SELECT list(x) FROM ...)")
    values = [binder.bind(part) for part in node.expressions]
    at = binder.at(node)
    return bind_call("list_value", unify(values, "a list", at) if values else (), at)

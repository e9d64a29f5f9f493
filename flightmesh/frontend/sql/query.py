"""Binds a query of any shape: SELECT, set operation, VALUES, one in parentheses, a named one.

Handed a sqlglot query, the scope around it and the names it may read; hands on its relation with its columns. What
always holds: a query's fields are all its own (a column of the query around it is handed on under a fresh id).
"""

from __future__ import annotations

from sqlglot import exp

from flightmesh.frontend.sql import select, set_operation, values
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Environment, with_ctes
from flightmesh.frontend.sql.ordering import order_and_limit
from flightmesh.frontend.sql.scope import Scope


def bind_query(node: exp.Expr, context: Context, environment: Environment, parent: Scope | None) -> Bound:
    """The relation of a query. `parent` is the scope around a subquery, whose columns it may read."""
    environment = with_ctes(node, context, environment, parent)
    match node:
        case exp.Select():
            return select.bind_select(node, context, environment, parent)
        case exp.SetOperation():
            return set_operation.bind_set_operation(node, context, environment, parent)
        case exp.Values():
            bound = values.bind_values(node, context, environment, parent)
        case exp.Subquery() | exp.Paren():
            bound = bind_query(node.this, context, environment, parent)
        case exp.Table():
            bound = select.bind_select(exp.select("*").from_(node.copy()), context, environment, parent)
        case _:
            raise context.source.unsupported(f"{node.key.upper()} as a query", node)
    return order_and_limit(node, bound, context, environment, parent)

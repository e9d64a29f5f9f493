"""Binds conditions: WHERE, HAVING, ON, FILTER.

Handed a node; hands on a boolean expression. What always holds: NULL and constant text are read as booleans, as
DuckDB does; other types are refused with a hint.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from flightmesh.expression.nodes import Cast, Expression, Literal
from flightmesh.expression.registry import coerce
from flightmesh.expression.types import Family, family, is_string, sql_type_name
from flightmesh.frontend.sql.expressions import ExpressionBinder


def predicate(binder: ExpressionBinder, node: exp.Expr, what: str) -> Expression:
    """A condition."""
    return as_boolean(binder, binder.bind(node), node, what)


def as_boolean(binder: ExpressionBinder, bound: Expression, node: exp.Expr, what: str) -> Expression:
    """A bound expression as a condition."""
    if pa.types.is_boolean(bound.type):
        return bound
    if isinstance(bound, Literal) and (bound.is_null or is_string(bound.type)):
        return coerce(bound, pa.bool_(), binder.context.source.position(node))
    if family(bound.type) is Family.INTEGER:
        return Cast(bound, pa.bool_())
    raise binder.context.source.error(
        f"{what} must be a condition, not a value of type {sql_type_name(bound.type)}",
        node,
        "compare it with something, such as x > 0",
    )

"""Binds a whole query: the root of a plan.

Handed a query's tree; hands on a Query. What always holds: shared relations stand in a With at the root, and a column
of NULLs is INTEGER, one of lists of NULLs INTEGER[].
"""

from __future__ import annotations

from sqlglot import exp

from flightmesh.expression.nodes import Column, Field
from flightmesh.expression.registry import coerce
from flightmesh.expression.types import without_null
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.statements import Query
from flightmesh.logical.relations import Item, Project, Relation, passes


def bind_root(tree: exp.Expr, context: Context, environment: Environment) -> Query:
    """A whole query: shared relations in a With, columns without a type (NULL) as INTEGER."""
    bound = context.bind_query(tree, context, environment, None)
    return Query(context.state.rooted(_typed(bound, context)), bound.names, context.state.reads_clock)


def _typed(bound: Bound, context: Context) -> Relation:
    relation = bound.relation
    if all(without_null(f.type) == f.type for f in bound.fields) and relation.fields == bound.fields:
        return relation
    items = []
    for field in bound.fields:
        kind = without_null(field.type)
        if kind != field.type:
            made = Field(context.state.ids.fresh(), field.name, kind)
            items.append(Item(made, coerce(field.column(), kind)))
        else:
            items.append(passes(Column(field.id, field.name, field.type, field.nullable)))
    return Project(relation, tuple(items))

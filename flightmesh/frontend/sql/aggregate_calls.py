"""Binds aggregates, with DISTINCT and FILTER.

Handed a binder and an aggregate's node; hands on the column that the Aggregate of the query will give. What always
holds: an aggregate stands only where its clause collects them, and none is computed of another.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from sqlglot import exp

from flightmesh.expression.nodes import Expression, columns_of
from flightmesh.expression.registry import bind_aggregate
from flightmesh.frontend.sql import functions_map
from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.titles import title

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder

MOST_BITS = 63
"""Arguments of grouping() that a bigint has bits for."""

INSIDE = "an aggregate"
"""The name of the clause that an aggregate's arguments are."""

WITHOUT_GROUPS = ("WHERE", "GROUP BY", "ON", INSIDE)
"""Clauses that know no groups, whatever the query has."""


def aggregate(binder: ExpressionBinder, node: exp.Expr, name: str, condition: exp.Expr | None) -> Expression:
    """The aggregate `name`, over the rows where `condition` holds."""
    source, clause = binder.context.source, binder.clause
    if clause.aggregates is None:
        if binder.scope.parent is not None and clause.name != INSIDE:
            inside = binder.within(dataclasses.replace(clause, name=INSIDE, alias=None))
            _refuse_outer(binder, [inside.bind(part) for part in arguments(node, binder.context)[0]], node)
        hint = {INSIDE: "compute the inner aggregate in a subquery", "WHERE": "use HAVING"}.get(clause.name)
        raise source.error(f"the aggregate {name} cannot stand in {clause.name}", node, hint)
    parts, distinct = arguments(node, binder.context)
    within = dataclasses.replace(
        clause,
        name=INSIDE,
        site=clause.aggregates.site,
        aggregates=None,
        windows=None,
        alias=None,
        grouped=None,
        sets=None,
    )
    inside = binder.within(within)
    args = [inside.bind(part) for part in parts]
    kept = None if condition is None else inside.bind(condition)
    _refuse_outer(binder, args, node)
    call = bind_aggregate(name, args, distinct, kept, binder.at(node))
    return clause.aggregates.add(call, title(node))


def grouping(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """grouping(key, ...), also spelt grouping_id: which of the keys the row's grouping set leaves out, a bit for each."""
    source, sets = binder.context.source, binder.clause.sets
    name = "grouping_id" if isinstance(node, exp.GroupingId) else "grouping"
    if sets is None:
        hint = "it stands in the select list, HAVING and ORDER BY of a query with GROUP BY"
        where = binder.clause.name if binder.clause.name in WITHOUT_GROUPS else "a query without GROUP BY"
        raise source.error(f"{name} cannot stand in {where}", node, hint)
    if not node.expressions:
        raise source.error(f"{name} takes one or more of the keys of GROUP BY", node)
    if len(node.expressions) > MOST_BITS:
        raise source.error(f"{name} takes at most {MOST_BITS} keys", node)
    known = {item.expression: place for place, item in enumerate(sets.items)}
    known |= {item.field.column(): place for place, item in enumerate(sets.items)}
    places = []
    for part in node.expressions:
        place = known.get(binder.bind(part))
        if place is None:
            raise source.error(f"{name} takes keys of GROUP BY, and this is none", part)
        places.append(place)
    return sets.grouping(tuple(places))


def filtered(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """sum(x) FILTER (WHERE condition)."""
    inner = node.this
    if isinstance(inner, exp.IgnoreNulls) and isinstance(inner.this, exp.AnyValue):
        inner = inner.this
    name = functions_map.aggregate_name(inner)
    if name is None:
        return binder.call(inner) if isinstance(inner, exp.AggFunc) else _no_aggregate(binder, node)
    return aggregate(binder, inner, name, node.args["expression"].this)


def _no_aggregate(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    raise binder.context.source.error("FILTER belongs to an aggregate", node)


def ignoring_nulls(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """any_value(x), which the parser marks as ignoring NULLs."""
    if isinstance(node.this, exp.AnyValue):
        return binder.bind(node.this)
    raise binder.context.source.unsupported("IGNORE NULLS", node)


def _refuse_outer(binder: ExpressionBinder, args: list[Expression], node: exp.Expr) -> None:
    """An aggregate over nothing but columns of an outer query belongs to that query, which is not done yet."""
    read = frozenset(id for arg in args for id in columns_of(arg))
    if read and binder.scope.parent is not None and not read & binder.scope.ids:
        outer = frozenset(id for scope in binder.scope.around()[1:] for id in scope.ids)
        if read & outer:
            raise binder.context.source.unsupported("an aggregate over the columns of the query around it", node)


def arguments(node: exp.Expr, context: Context) -> tuple[list[exp.Expr], bool]:
    """The arguments of an aggregate, and whether they are taken DISTINCT."""
    parts = functions_map.arguments(node)
    distinct = False
    if parts and isinstance(parts[0], exp.Distinct):
        distinct, parts = True, [*parts[0].expressions, *parts[1:]]
    if distinct and len(parts) > 1 and not isinstance(node, exp.Count):
        raise context.source.unsupported("DISTINCT in an aggregate of several columns", node)
    if isinstance(node, exp.Count):
        if distinct and any(isinstance(part, exp.Star) for part in parts):
            raise context.source.unsupported("count(DISTINCT *)", node, "count the rows of a SELECT DISTINCT")
        if len(parts) == 1 and isinstance(parts[0], exp.Star):
            parts = []
        if len(parts) > 1:
            raise context.source.unsupported("count of several columns", node, "count the rows of a SELECT DISTINCT")
    for part in parts:
        if isinstance(part, exp.Order | exp.Limit):
            raise context.source.unsupported("ORDER BY in an aggregate", part)
    return parts, distinct

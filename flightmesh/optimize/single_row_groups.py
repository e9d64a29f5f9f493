"""Rule: rows that are grouped by what is unique among them are groups already, and aggregates of one row are expressions.

Handed a query whose joins and early groupings are chosen; hands on one with fewer groupings. What always holds: the rows are
proved to differ in the grouping's columns (`keys.is_key`), whatever the data; sums that rounding could change stay.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.expression.nodes import AggregateCall, Call, Case, Cast, Column, Expression, Literal, When
from flightmesh.logical.relations import Aggregate, Item, Project, Relation
from flightmesh.logical.traversal import rewrite_up
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.keys import is_key

LEAST_ROWS = 20_000
"""Fewer rows are grouped sooner than a table is read to prove a key of it."""
OF_ONE = frozenset({"min", "max", "any_value", "first", "last", "bool_and", "bool_or"})
"""Aggregates that give of one value that value."""


def ungroup_single_rows(relation: Relation, context: Context) -> Relation:
    """The query without groupings of single rows."""
    return rewrite_up(relation, lambda node: _aggregate(node, context) if isinstance(node, Aggregate) else node)


def _aggregate(node: Aggregate, context: Context) -> Relation:
    if not node.groups or not node.aggregates:
        return node  # DISTINCT is looked at by `remove_aggregates`
    computed = [_of_one_row(item.call) for item in node.aggregates]
    columns = frozenset(item.expression.id for item in node.groups if isinstance(item.expression, Column))
    if not all(computed) or not columns or estimate(node.input, context).rows < LEAST_ROWS:
        return node
    if not is_key(node.input, columns, context):
        return node
    made = (Item(item.field, value) for item, value in zip(node.aggregates, computed, strict=True) if value is not None)
    return Project(node.input, (*node.groups, *made))


def _of_one_row(call: AggregateCall) -> Expression | None:
    """The aggregate of a single row; None for those that are not such a simple thing."""
    if call.filter is not None:
        return None
    if call.function == "count_star":
        return Literal(pa.scalar(1, call.type))
    if len(call.args) != 1:
        return None
    (argument,) = call.args
    if call.function == "count":
        none = Call("is_null", (argument,), pa.bool_())
        return Case((When(none, Literal(pa.scalar(0, call.type))),), Literal(pa.scalar(1, call.type)), call.type)
    if call.function in OF_ONE and argument.type == call.type:
        return argument
    exact = pa.types.is_integer(argument.type) or pa.types.is_decimal(argument.type)
    if call.function == "sum" and exact and pa.types.is_decimal(call.type):
        return argument if argument.type == call.type else Cast(argument, call.type)
    return None

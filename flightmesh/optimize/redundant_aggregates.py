"""Rule: groupings that group nothing go, and aggregates become their cheapest equals.

DISTINCT over rows that are unique already is a projection; DISTINCT below a SEMI or ANTI join's right side, or below
another DISTINCT, does nothing; min and max need no DISTINCT; counting a column without NULLs is counting rows; a constant
does not group.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.expression.nodes import Literal
from flightmesh.logical.relations import Aggregate, AggregateItem, Item, Join, JoinKind, Project, Relation, passes
from flightmesh.logical.traversal import rewrite_up
from flightmesh.optimize.context import Context
from flightmesh.optimize.keys import unique_keys
from flightmesh.optimize.nullability import may_be_null, never_null

BLIND_TO_REPETITION = frozenset(
    {"min", "max", "bool_and", "bool_or", "any_value", "bit_and", "bit_or"}
    | {"approx_count_distinct", "arg_min", "arg_max", "arg_min_null", "arg_max_null"}
)


def remove_aggregates(relation: Relation, context: Context) -> Relation:
    """The query with only the groupings it needs."""

    def change(node: Relation) -> Relation:
        match node:
            case Aggregate():
                return _aggregate(node, context)
            case Join(kind=JoinKind.SEMI | JoinKind.ANTI):
                right = without_distinct(node.right)
                return node if right is node.right else replace(node, right=right)
            case _:
                return node

    return rewrite_up(relation, change)


def without_distinct(node: Relation) -> Relation:
    """The relation without a DISTINCT on top, for a reader that does not count rows."""
    match node:
        case Aggregate(input=child, groups=groups, aggregates=()) if groups:
            return without_distinct(Project(child, groups))
        case Project(input=child):
            below = without_distinct(child)
            return node if below is child else replace(node, input=below)
        case _:
            return node


def _aggregate(node: Aggregate, context: Context) -> Relation:
    if not node.aggregates and node.groups:
        below = without_distinct(node.input)
        node = node if below is node.input else replace(node, input=below)
        read = frozenset(g.expression.id for g in node.groups if hasattr(g.expression, "id"))
        if any(key <= read for key in unique_keys(node.input)):
            return Project(node.input, node.groups)
    sure = never_null(node.input, context) if any(a.call.function == "count" for a in node.aggregates) else frozenset()
    made = tuple(_call(item, sure) for item in node.aggregates)
    if any(a is not b for a, b in zip(made, node.aggregates, strict=True)):
        node = replace(node, aggregates=made)
    return _without_constant_keys(node)


def _call(item: AggregateItem, sure: frozenset[int]) -> AggregateItem:
    call = item.call
    if call.distinct and call.function in BLIND_TO_REPETITION:
        call = replace(call, distinct=False)
    if call.function == "count" and len(call.args) == 1 and not call.distinct and not may_be_null(call.args[0], sure):  # type: ignore[arg-type]
        call = replace(call, function="count_star", args=())
    return item if call is item.call else AggregateItem(item.field, call)


def _without_constant_keys(node: Aggregate) -> Relation:
    """At least one key stays: without keys an empty input would give a row."""
    constant = [g for g in node.groups if isinstance(g.expression, Literal)]
    varying = tuple(g for g in node.groups if not isinstance(g.expression, Literal))
    if not constant or not varying:
        return node
    grouped = Aggregate(node.input, varying, node.aggregates)
    items = (g if isinstance(g.expression, Literal) else passes(g.field.column()) for g in node.groups)
    made = tuple(passes(a.field.column()) for a in node.aggregates)
    return Project(grouped, (*(Item(i.field, i.expression) for i in items), *made))

"""Aggregates that see the order of their rows, over a sorted subquery: the order becomes theirs.

Handed an Aggregate; hands on an equal one whose `list`, `string_agg`, `first` or `last` says its order itself, so that it may
be computed for all outer rows at once, in any order. What always holds: calls with an order, or DISTINCT, stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.logical.relations import Aggregate, AggregateItem, Relation
from flightmesh.optimize.context import Context
from flightmesh.optimize.grouped_limit import with_order

SEE_ORDER = frozenset({"list", "string_agg", "first", "last"})


def in_input_order(node: Relation, context: Context) -> Relation:
    """The relation, with the order of its input in its own calls."""
    if not isinstance(node, Aggregate) or not any(map(_sees, node.aggregates)):
        return node
    rows, keys = with_order(node.input, context)
    if not keys:
        return node
    items = (replace(a, call=replace(a.call, order=keys)) if _sees(a) else a for a in node.aggregates)
    return Aggregate(rows, node.groups, tuple(items))


def _sees(item: AggregateItem) -> bool:
    return item.call.function in SEE_ORDER and not item.call.order and not item.call.distinct

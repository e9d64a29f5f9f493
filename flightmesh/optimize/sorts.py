"""Rule: a sort whose order nobody sees goes.

Order is seen by the client, by a Limit and by a window function that has no order of its own; groupings, joins and set
operations do not keep it. Sorts below them, without a Limit between, are removed, and so is a sort right below another.
"""

from __future__ import annotations

from flightmesh.logical.relations import Aggregate, Filter, Limit, Project, Relation, Sort, Window, With
from flightmesh.logical.traversal import inputs, rebuilt
from flightmesh.optimize.context import Context

KEEP_ORDER = Filter | Project
ORDER_SENSITIVE = frozenset(
    {"first", "last", "list", "array_agg", "string_agg", "arg_min", "arg_max", "arg_min_null", "arg_max_null"}
)
"""Aggregates whose result a person fixes by ordering the input."""


def remove_sorts(relation: Relation, context: Context) -> Relation:
    """The query without useless sorts."""
    return _seen(relation)


def _seen(node: Relation) -> Relation:
    """Where the order of the rows is seen."""
    if isinstance(node, With):
        *shared, body = inputs(node)
        return rebuilt(node, (*(_unseen(part) for part in shared), _seen(body)))
    if isinstance(node, Sort):
        return rebuilt(node, (_unseen(node.input),))
    if isinstance(node, KEEP_ORDER | Limit):
        return rebuilt(node, (_seen(node.input),))
    if isinstance(node, Aggregate) and any(a.call.function in ORDER_SENSITIVE for a in node.aggregates):
        return rebuilt(node, (_seen(node.input),))
    if isinstance(node, Window) and any(item.keys == 0 for item in node.items):
        return rebuilt(node, (_seen(node.input),))
    return rebuilt(node, tuple(_unseen(part) for part in inputs(node)))


def _unseen(node: Relation) -> Relation:
    """Where the order of the rows does not matter."""
    if isinstance(node, Sort):
        return _unseen(node.input)
    if isinstance(node, KEEP_ORDER):
        return rebuilt(node, (_unseen(node.input),))
    return _seen(node)

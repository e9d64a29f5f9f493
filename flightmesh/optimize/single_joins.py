"""Rule: a SINGLE join that provably finds at most one partner is a LEFT join, or an INNER one when it always finds one.

A scalar subquery that is a grouping joined on its keys cannot have a second row; a global aggregate without correlation has
exactly one.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.logical.relations import Join, JoinKind, Relation
from flightmesh.logical.traversal import rewrite_up
from flightmesh.optimize.context import Context
from flightmesh.optimize.keys import at_most_one_row, binds_key, exactly_one_row


def simplify_single_joins(relation: Relation, context: Context) -> Relation:
    """The query with SINGLE joins only where a second row is possible."""
    return rewrite_up(relation, lambda node: _join(node) if isinstance(node, Join) else node)


def _join(node: Join) -> Relation:
    if node.kind in (JoinKind.SINGLE, JoinKind.LEFT) and node.condition is None and exactly_one_row(node.right):
        return replace(node, kind=JoinKind.INNER)
    if node.kind is JoinKind.SINGLE and (at_most_one_row(node.right) or binds_key(node, node.right)):
        return replace(node, kind=JoinKind.LEFT)
    return node

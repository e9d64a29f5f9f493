"""Rule: limits go down.

Through projections, into every input of a UNION ALL, into the side that a LEFT join keeps, into scans (`Scan.limit`, an
exact Limit stays above). Limits right above each other become one. A limit of nothing is an empty relation. Never through a
filter, a grouping or a sort: a Limit over a Sort is the planner's top-k.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.logical.relations import (
    Join,
    JoinKind,
    Limit,
    Project,
    Quantifier,
    Relation,
    Scan,
    SetKind,
    SetOperation,
)
from flightmesh.logical.traversal import rewrite_down
from flightmesh.optimize.context import Context
from flightmesh.optimize.simplify import empty

KEEPS_EVERY_LEFT_ROW = (JoinKind.LEFT, JoinKind.SINGLE, JoinKind.MARK)


def push_limits(relation: Relation, context: Context) -> Relation:
    """The query with its limits as low as they go."""
    return rewrite_down(relation, lambda node: _limit(node) if isinstance(node, Limit) else node)


def _limit(node: Limit) -> Relation:
    if node.count == 0:
        return empty(node)
    if node.count is None and node.offset == 0:
        return node.input
    child = node.input
    match child:
        case Limit():
            return _limit(_merged(node, child))
        case Project():
            return replace(child, input=_limit(replace(node, input=child.input)))
        case _:
            pass
    if node.count is None:
        return node
    rows = node.count + node.offset
    match child:
        case SetOperation(kind=SetKind.UNION, quantifier=Quantifier.ALL, inputs=parts):
            return replace(node, input=replace(child, inputs=tuple(_at_most(p, rows) for p in parts)))
        case Join(kind=kind) if kind in KEEPS_EVERY_LEFT_ROW:
            return replace(node, input=replace(child, left=_at_most(child.left, rows)))
        case Scan(limit=limit) if limit is None or limit > rows:
            return replace(node, input=replace(child, limit=rows))
        case _:
            return node


def _at_most(relation: Relation, rows: int) -> Relation:
    if isinstance(relation, Limit) and relation.count is not None and relation.count <= rows:
        return relation
    return Limit(relation, rows)


def _merged(outer: Limit, inner: Limit) -> Limit:
    left = None if inner.count is None else max(0, inner.count - outer.offset)
    count = left if outer.count is None else outer.count if left is None else min(left, outer.count)
    return Limit(inner.input, count, inner.offset + outer.offset)

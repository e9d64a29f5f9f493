"""Rule: limits go down.

Through projections, into every input of a UNION ALL, into the side that a LEFT join keeps, into scans (`Scan.limit`, an
exact Limit stays above). Limits right above each other become one. A limit of nothing is an empty relation. Never through a
filter, a grouping or a sort: a Limit over a Sort is the planner's top-k. Where such a top-k is ordered by the side that a
LEFT join keeps, only the top rows of that side are joined.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.expression.nodes import SortKey, columns_of, substitute
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
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
    Sort,
)
from flightmesh.logical.traversal import rewrite_down
from flightmesh.optimize.context import Context
from flightmesh.optimize.simplify import empty

TOP_ROWS = 100_000
"""Up to so many rows are sorted early."""

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
        case Sort(input=rows_of, keys=keys) if rows <= TOP_ROWS:
            below = _top_of_left(rows_of, keys, rows)
            return node if below is None else replace(node, input=replace(child, input=below))
        case Scan(limit=limit) if limit is None or limit > rows:
            return replace(node, input=replace(child, limit=rows))
        case _:
            return node


def _top_of_left(node: Relation, keys: tuple[SortKey, ...], rows: int) -> Relation | None:
    """The rows to be sorted with a top-k of their own below a join that gives each left row at least once; None for others."""
    read = frozenset[ColumnId]().union(*(columns_of(key.expression) for key in keys))
    if isinstance(node, Project):
        computed = {item.field.id: item.expression for item in node.items}
        if any(is_volatile(computed[c]) for c in read):
            return None
        below = _top_of_left(node.input, tuple(replace(k, expression=substitute(k.expression, computed)) for k in keys), rows)
        return None if below is None else replace(node, input=below)
    if not isinstance(node, Join) or node.kind not in KEEPS_EVERY_LEFT_ROW:
        return None
    if not read or not read <= {f.id for f in node.left.fields} or any(is_volatile(k.expression) for k in keys):
        return None
    if isinstance(node.left, Limit) and node.left.count is not None and node.left.count <= rows:
        return None
    return replace(node, left=Limit(Sort(node.left, keys), rows))


def _at_most(relation: Relation, rows: int) -> Relation:
    if isinstance(relation, Limit) and relation.count is not None and relation.count <= rows:
        return relation
    return Limit(relation, rows)


def _merged(outer: Limit, inner: Limit) -> Limit:
    left = None if inner.count is None else max(0, inner.count - outer.offset)
    count = left if outer.count is None else outer.count if left is None else min(left, outer.count)
    return Limit(inner.input, count, inner.offset + outer.offset)

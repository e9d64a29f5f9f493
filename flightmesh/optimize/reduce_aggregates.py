"""Groups that a join will throw away, not computed in the first place.

A grouping joined on its keys to a few rows (a decorrelated subquery, mostly) needs only the groups of those rows, and a window
only the partitions. Handed a join graph; hands on one in which the input of such a grouping or window is cut down by a SEMI
join with a second reading of the few rows. What always holds: the few rows are cheap to read twice (a filtered scan), and the
reduction is expected to pay for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from flightmesh.expression.nodes import Call, Column, Expression, conjuncts
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import with_fresh_ids
from flightmesh.logical.relations import Aggregate, Expand, Filter, Join, JoinKind, Project, Relation, Scan, Window, passes
from flightmesh.logical.traversal import walk
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.join_graph import JoinGraph
from flightmesh.optimize.sharing import cheap_to_repeat

WORTHWHILE = 0.3
"""Share of the groups that must be expected to be left, at most."""


def reduce_aggregates(graph: JoinGraph, context: Context) -> None:
    """Replaces leaves of the graph that are groupings or windows by cut-down ones where that pays."""
    for place, leaf in enumerate(graph.leaves):
        if place in graph.memberships or _grouping(leaf) is None:
            continue
        for column, other, relation in _partners(graph, place):
            changed = _reduced(leaf, column, other, relation, context)
            if changed is not None:
                graph.leaves[place] = changed
                break


def _grouping(leaf: Relation) -> Aggregate | Window | None:
    while isinstance(leaf, Project | Filter):
        leaf = leaf.input
    match leaf:
        case Aggregate(groups=groups) if groups and not isinstance(leaf.input, Expand):
            return leaf
        case Window(partition=partition) if partition:
            return leaf
        case _:
            return None


def _partners(graph: JoinGraph, place: int) -> Iterator[tuple[Column, Column, Relation]]:
    """(the grouping's column, an equal column, the relation that this one comes from), for plain and for SEMI leaves."""
    for members in graph.classes:
        mine = next((c for leaf, c in members if leaf == place), None)
        if mine is None:
            continue
        known = {c.id for _, c in members}
        for leaf, column in members:
            if leaf != place:
                yield mine, column, graph.leaves[leaf]
        for leaf, member in graph.memberships.items():
            if member.kind is JoinKind.SEMI:
                inner = _only_equality(member.condition, known)
                if inner is not None:
                    yield mine, inner, graph.leaves[leaf]


def _only_equality(condition: Expression, known: set[ColumnId]) -> Column | None:
    parts = conjuncts(condition)
    if len(parts) != 1 or not isinstance(parts[0], Call) or parts[0].function != "equal":
        return None
    a, b = parts[0].args
    if not isinstance(a, Column) or not isinstance(b, Column):
        return None
    return b if a.id in known else a if b.id in known else None


def _reduced(leaf: Relation, column: Column, other: Column, few: Relation, context: Context) -> Relation | None:
    grouping = _grouping(leaf)
    key = None if grouping is None else _source(leaf, column)
    if grouping is None or key is None or not cheap_to_repeat(few) or not _filtered(few):
        return None
    inner = _key(grouping, key.id)
    groups = estimate(grouping, context).columns.get(key.id)
    wanted = estimate(few, context).columns.get(other.id)
    if groups is None or wanted is None or wanted.distinct > WORTHWHILE * groups.distinct:
        return None
    if inner is None or _rows_read(grouping.input, context) < _rows_read(few, context):
        return None
    copy, names = with_fresh_ids(few, context.ids)
    match = replace(other, id=names[other.id])
    narrow = Project(copy, (passes(match),)) if len(copy.fields) > 1 else copy
    semi = Join(grouping.input, narrow, JoinKind.SEMI, Call("equal", (inner, match), pa.bool_()))
    return _over(leaf, grouping, replace(grouping, input=semi))


def _source(leaf: Relation, column: Column) -> Column | None:
    """The grouping's key that stands behind a column of what is over it."""
    while isinstance(leaf, Project | Filter):
        if isinstance(leaf, Filter):
            leaf = leaf.input
            continue
        item = next((i for i in leaf.items if i.field.id == column.id), None)
        if item is None or not isinstance(item.expression, Column):
            return None
        column, leaf = item.expression, leaf.input
    is_key = isinstance(leaf, Aggregate | Window) and _key(leaf, column.id) is not None
    return column if is_key else None


def _key(grouping: Aggregate | Window, column: ColumnId) -> Column | None:
    """The column of the rows that they are grouped or partitioned by, of which this one is the result."""
    if isinstance(grouping, Window):
        return next((part for part in grouping.partition if isinstance(part, Column) and part.id == column), None)
    found = next((item.expression for item in grouping.groups if item.field.id == column), None)
    return found if isinstance(found, Column) else None


def _filtered(few: Relation) -> bool:
    return any(isinstance(node, Scan) and node.filters for node in walk(few))


def _rows_read(few: Relation, context: Context) -> float:
    read = (context.statistics(node.table).rows or 0 for node in walk(few) if isinstance(node, Scan))
    return float(sum(read))


def _over(leaf: Relation, old: Relation, new: Relation) -> Relation:
    if leaf is old:
        return new
    if not isinstance(leaf, Project | Filter):
        return leaf
    return replace(leaf, input=_over(leaf.input, old, new))

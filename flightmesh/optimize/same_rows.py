"""The rows that one leaf of a region of joins reads, found among its other leaves.

Handed a join graph, a leaf and the relation that this leaf is made of (it groups its rows, say); hands on that relation under
the columns of the other leaves. What always holds: every row of the whole region contains one row of it, because the region's
own leaves are the same or filtered further, and its conditions say as much or more; further filters are told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Expression, columns_of, substitute
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Join, Project, Relation, Scan
from flightmesh.optimize.join_graph import JoinGraph, is_region, join_graph
from flightmesh.optimize.merging import Names, merge

MOST_LEAVES = 8
"""Regions of more leaves are not looked for: each may stand for several of one table."""


@dataclass(frozen=True, slots=True)
class SameRows:
    """`relation`: the rows, with the columns of the leaves at the places `leaves` and what else is read of them. `columns`:
    its column for each of the other's. `predicates`: what the region keeps of the rows of those leaves; `asked`: what all rows
    are known to satisfy. `equal`: of columns that are equal in every row, the one that may stand for the others."""

    relation: Relation
    leaves: tuple[int, ...]
    columns: dict[ColumnId, Expression]
    predicates: tuple[Expression, ...]
    asked: tuple[Expression, ...]
    equal: dict[ColumnId, Expression]

    def alike(self, column: Expression) -> Expression:
        """The column that may stand for this one."""
        return substitute(column, self.equal)


def same_rows(graph: JoinGraph, place: int, relation: Relation) -> SameRows | None:
    """The rows of `relation`, which the leaf at `place` is made of, among the graph's other leaves; None where they are not."""
    inner = join_graph(relation)
    if inner.memberships or inner.above or len(inner.leaves) > MOST_LEAVES or any(map(is_volatile, inner.conjuncts)):
        return None
    free = [i for i in range(len(graph.leaves)) if i != place and i not in graph.memberships]
    for found in _assigned(graph, inner, free, _Found()):
        equal = _equal_columns(graph, inner, found.columns)
        if equal is None or any(not _is_asked(graph, p.expression, found.columns) for p in inner.predicates):
            continue
        leaves = {id(leaf): made for leaf, made in zip(inner.leaves, found.relations, strict=True)}
        made = _over(relation, leaves, found.columns)
        asked = tuple(substitute(p.expression, found.columns) for p in inner.predicates)
        return SameRows(made, tuple(found.places), found.columns, tuple(found.predicates), asked, equal)
    return None


@dataclass(slots=True)
class _Found:
    """Leaves of the region for the first leaves of the other relation."""

    places: list[int] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    columns: dict[ColumnId, Expression] = field(default_factory=dict)
    predicates: list[Expression] = field(default_factory=list)


def _assigned(graph: JoinGraph, inner: JoinGraph, free: list[int], found: _Found) -> Iterator[_Found]:
    """Every way to take a leaf of the graph for each of the inner one's."""
    wanted = len(found.places)
    if wanted == len(inner.leaves):
        yield found
        return
    for place in free:
        if place in found.places:
            continue
        leaf = _same_leaf(graph.leaves[place], inner.leaves[wanted])
        if leaf is None:
            continue
        merged, names, extra = leaf
        own = {f.id: f.column() for f in merged.fields}
        columns: dict[ColumnId, Expression] = {f.id: own[names[f.id]] for f in inner.leaves[wanted].fields}
        more = _Found(
            [*found.places, place],
            [*found.relations, merged],
            found.columns | columns,
            [*found.predicates, *extra],
        )
        yield from _assigned(graph, inner, free, more)


def _same_leaf(outer: Relation, inner: Relation) -> tuple[Relation, Names, tuple[Expression, ...]] | None:
    """(the inner leaf under the outer one's columns, its column for each of the inner's, what else the outer one keeps to)."""
    extra: tuple[Expression, ...] = ()
    if isinstance(outer, Scan) and isinstance(inner, Scan):
        if outer.table.name != inner.table.name:
            return None
        outer, extra = _less_filtered(outer, inner)
    merged = merge(outer, inner)
    return None if merged is None else (*merged, extra)


def _less_filtered(outer: Scan, inner: Scan) -> tuple[Scan, tuple[Expression, ...]]:
    """The outer scan without the filters that the inner one has not, and those filters."""
    own = {f.name: f for f in (*outer.fields, *outer.filter_only)}
    read = (*inner.fields, *inner.filter_only)
    names: dict[ColumnId, Expression] = {f.id: own[f.name].column() for f in read if f.name in own}
    common = [substitute(part, names) for part in inner.filters]
    extra = tuple(part for part in outer.filters if part not in common)
    if not extra or any(map(is_volatile, extra)):
        return outer, ()
    asked = frozenset[ColumnId]().union(*map(columns_of, extra))
    kept = tuple(part for part in outer.filters if part not in extra)
    shown = {f.id for f in outer.fields}
    fields = (*outer.fields, *(f for f in outer.filter_only if f.id in asked and f.id not in shown))
    still = frozenset[ColumnId]().union(*map(columns_of, kept))
    only = tuple(f for f in outer.filter_only if f.id in still and f.id not in asked)
    return replace(outer, fields=fields, filters=kept, filter_only=only), extra


def _equal_columns(
    graph: JoinGraph, inner: JoinGraph, columns: dict[ColumnId, Expression]
) -> dict[ColumnId, Expression] | None:
    """What stands for each column that the inner graph equates with another; None where the region does not equate them."""
    found: dict[ColumnId, Expression] = {}
    classes = [{column.id for _, column in members} for members in graph.classes]
    for members in inner.classes:
        first, *others = [columns[column.id] for _, column in members]
        ids = frozenset[ColumnId]().union(*map(columns_of, (first, *others)))
        if not any(ids <= known for known in classes):
            return None
        found.update((id_, first) for other in others for id_ in columns_of(other))
    return found


def _is_asked(graph: JoinGraph, part: Expression, columns: dict[ColumnId, Expression]) -> bool:
    changed = substitute(part, columns)
    return any(changed == predicate.expression for predicate in graph.predicates)


def _over(node: Relation, leaves: dict[int, Relation], columns: dict[ColumnId, Expression]) -> Relation:
    """The region of joins over other leaves, with all their columns."""
    found = leaves.get(id(node))
    if found is not None:
        return found
    if isinstance(node, Project) and is_region(node.input):
        return _over(node.input, leaves, columns)
    assert isinstance(node, Join)
    condition = None if node.condition is None else substitute(node.condition, columns)
    return replace(node, left=_over(node.left, leaves, columns), right=_over(node.right, leaves, columns), condition=condition)

"""Rule: one-row relations that are multiplied with each other and compute the same are one.

Scalar subqueries over the same rows (three aggregates of one filtered table) become one grouping with all their aggregates.
Handed any query without Applies; hands on one with fewer such groupings. What always holds: only relations that give exactly
one row are merged, so that the product has the rows that it had.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.expression.nodes import Column
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Item, Join, JoinKind, Project, Relation, passes
from flightmesh.logical.traversal import inputs, rebuilt
from flightmesh.optimize.context import Context
from flightmesh.optimize.keys import exactly_one_row
from flightmesh.optimize.merging import merge


def merge_single_rows(relation: Relation, context: Context) -> Relation:
    """The query with equal one-row relations merged."""
    if is_product(relation):
        return _product(relation, context)
    old = inputs(relation)
    if not old:
        return relation
    new = tuple(merge_single_rows(part, context) for part in old)
    return rebuilt(relation, new)


def is_product(node: Relation) -> bool:
    """Whether it pairs all rows of two relations."""
    return isinstance(node, Join) and node.kind is JoinKind.INNER and node.condition is None


def factors(node: Relation) -> list[Relation]:
    """What a product multiplies, from left to right."""
    if isinstance(node, Join) and is_product(node):
        return [*factors(node.left), *factors(node.right)]
    return [node]


def _product(root: Relation, context: Context) -> Relation:
    """A product of relations, some of them perhaps the same row."""
    old = factors(root)
    kept: list[Relation] = []
    stands: dict[ColumnId, ColumnId] = {}
    for factor in old:
        place, merged, names = _found(factor, kept)
        if merged is None:
            kept.append(merge_single_rows(factor, context))
            continue
        kept[place] = merged
        stands.update((f.id, names[f.id]) for f in factor.fields)
    if not stands:  # nothing was merged, or only rows without columns, which have gone
        is_same = len(old) == len(kept) and all(a is b for a, b in zip(old, kept, strict=True))
        return root if is_same else multiplied(kept)
    items = []
    for field in root.fields:
        column = field.column()
        other = stands.get(field.id, field.id)
        items.append(passes(column) if other == field.id else Item(field, _named(column, other)))
    return Project(multiplied(kept), tuple(items))


def _named(column: Column, other: ColumnId) -> Column:
    return replace(column, id=other)


def _found(factor: Relation, kept: list[Relation]) -> tuple[int, Relation | None, dict[ColumnId, ColumnId]]:
    """The place of a kept factor that is the same row, the two merged, and which column stands for which."""
    if exactly_one_row(factor):
        for place, other in enumerate(kept):
            merged = merge(other, factor) if exactly_one_row(other) else None
            if merged is not None:
                return place, *merged
    return 0, None, {}


def multiplied(kept: list[Relation]) -> Relation:
    """The product of at least one relation."""
    product = kept[0]
    for factor in kept[1:]:
        product = Join(product, factor, JoinKind.INNER)
    return product

"""Rule: a shared relation hands on only the columns that some reader reads.

Handed a query whose joins are ordered and whose columns are pruned; hands on one in which a shared relation that ends in a
join, a grouping or the like, and so gives more (keys of its joins, groups that nobody asks for), is projected to what its
references name: its rows are kept, and moved to every reader. What always holds: references find the columns they name.
"""

from __future__ import annotations

from flightmesh.ids import ColumnId, SharedId
from flightmesh.logical.relations import Definition, Project, Reference, Relation, With, passes
from flightmesh.logical.traversal import walk
from flightmesh.optimize.context import Context


def narrow_shared(relation: Relation, context: Context) -> Relation:
    """The query whose shared relations give what is read of them."""
    if not isinstance(relation, With):
        return relation
    read: dict[SharedId, set[ColumnId]] = {}
    for part in (*(d.relation for d in relation.definitions), relation.body):
        for node in walk(part):
            if isinstance(node, Reference):
                read.setdefault(node.shared, set()).update(node.sources)
    made = tuple(_narrowed(d, read.get(d.id, set())) for d in relation.definitions)
    return relation if all(a is b for a, b in zip(made, relation.definitions, strict=True)) else With(made, relation.body)


def _narrowed(definition: Definition, read: set[ColumnId]) -> Definition:
    fields = definition.relation.fields
    kept = tuple(f for f in fields if f.id in read)
    if len(kept) == len(fields) or not kept:  # a reader that only counts rows names no column
        return definition
    return Definition(definition.id, definition.name, Project(definition.relation, tuple(passes(f.column()) for f in kept)))

"""Rule: a shared relation that nothing reads goes, one that is read once moves to its reader.

Handed a query; hands on one whose root `With` defines only relations that are read at least twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from flightmesh.ids import ColumnId, SharedId
from flightmesh.logical.expressions import renamed
from flightmesh.logical.relations import Definition, Item, Project, Reference, Relation, With, passes
from flightmesh.logical.traversal import inputs, rebuilt, walk
from flightmesh.optimize.context import Context


def inline_shared(relation: Relation, context: Context) -> Relation:
    """The query with only useful definitions."""
    if not isinstance(relation, With):
        return relation
    kept = _reachable(relation)
    uses = Counter(
        n.shared for part in (*(d.relation for d in kept), relation.body) for n in walk(part) if isinstance(n, Reference)
    )
    once: dict[SharedId, Relation] = {}
    made: list[Definition] = []
    for old in kept:
        changed = _inline(old.relation, once)
        if uses[old.id] == 1:
            once[old.id] = changed
        else:
            made.append(old if changed is old.relation else Definition(old.id, old.name, changed))
    body = _inline(relation.body, once)
    return With(tuple(made), body) if made else body


def _reachable(relation: With) -> list[Definition]:
    """The definitions that the body reads, directly or through others."""
    wanted = {n.shared for n in walk(relation.body) if isinstance(n, Reference)}
    kept: list[Definition] = []
    for definition in reversed(relation.definitions):
        if definition.id in wanted:
            kept.append(definition)
            wanted.update(n.shared for n in walk(definition.relation) if isinstance(n, Reference))
    return kept[::-1]


def _inline(node: Relation, once: dict[SharedId, Relation]) -> Relation:
    if isinstance(node, Reference):
        found = once.get(node.shared)
        return node if found is None else _read(node, found)
    old = inputs(node)
    if not old:
        return node
    new = tuple(_inline(part, once) for part in old)
    return rebuilt(node, new)


def _read(reference: Reference, relation: Relation) -> Relation:
    """The shared relation under the reference's ids, and with its columns."""
    names = {source: f.id for f, source in zip(reference.fields, reference.sources, strict=True)}
    return read_inline(reference, renamed(relation, names), names)


def read_inline(reference: Reference, named: Relation, names: dict[ColumnId, ColumnId]) -> Relation:
    """What a reference reads, of a copy of the shared relation in which its columns have the ids `names`."""
    items = []
    for field, source in zip(reference.fields, reference.sources, strict=True):
        column = replace(field.column(), id=names[source])
        items.append(passes(column) if names[source] == field.id else Item(field, column))
    return Project(named, tuple(items)) if items else named

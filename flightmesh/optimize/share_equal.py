"""Rule: what a query computes in several places is computed once.

Handed a query whose filters are pushed down and whose columns are pruned; hands on one in which groupings, windows and regions
of joins that compute the same (`merging`) are one shared relation with a reader at each place. What always holds: it is shared
only where computing it again would cost more than keeping its rows; nothing volatile is shared.
"""

from __future__ import annotations

from dataclasses import field

from flightmesh.dataclass import dataclass
from flightmesh.ids import SharedId
from flightmesh.logical.expressions import with_fresh_ids
from flightmesh.logical.relations import Aggregate, Definition, Join, Reference, Relation, Scan, Window, With
from flightmesh.logical.traversal import inputs, rebuilt, walk
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.join_graph import MEMBERSHIP, is_region
from flightmesh.optimize.merging import Names, merge
from flightmesh.optimize.work import KEPT, work

Signature = tuple[str, ...]


def share_equal(relation: Relation, context: Context) -> Relation:
    """The query with equal parts shared."""
    parts: list[Relation] = [relation]
    if isinstance(relation, With):
        parts = [*(d.relation for d in relation.definitions), relation.body]
    if not _reads_twice(parts):
        return relation
    chosen = _Choice(context)
    for place, part in enumerate(parts):
        chosen.look(part, place, inside=False)
    classes = chosen.worthwhile()
    if not classes:
        return relation
    old = relation.definitions if isinstance(relation, With) else ()
    return _rewritten(parts, old, classes, context)


def _reads_twice(parts: list[Relation]) -> bool:
    """Whether anything is read in two places at all: else there is nothing to look for."""
    seen: set[str] = set()
    for part in parts:
        for node in walk(part):
            if isinstance(node, Scan):
                if node.table.name in seen:
                    return True
                seen.add(node.table.name)
    return False


@dataclass(slots=True)
class _Member:
    """One of several equal relations: where it stands, and the merged relation's column for each of its own."""

    node: Relation
    place: int
    names: Names


@dataclass(slots=True)
class _Class:
    """Relations that compute the same, and the one that stands for all."""

    merged: Relation
    members: list[_Member]


@dataclass(slots=True)
class _Choice:
    """Candidates by what they read; a relation meets only those that read the same tables."""

    context: Context
    classes: dict[Signature, list[_Class]] = field(default_factory=dict)

    def look(self, node: Relation, place: int, inside: bool) -> Signature:
        """Takes a relation and all below it; hands on the tables it reads."""
        below = [
            # What a SEMI or ANTI join asks is a region of its own.
            self.look(
                part, place, is_region(node) and not (isinstance(node, Join) and node.kind in MEMBERSHIP and part is node.right)
            )
            for part in inputs(node)
        ]
        tables: Signature = tuple(sorted(name for names in below for name in names))
        match node:
            case Scan():
                return (node.table.name,)
            case Reference():
                return (f"shared {node.shared}",)
            case Aggregate() | Window():
                self._take(node, place, (type(node).__name__, *tables))
            case Join() if not (inside and is_region(node)):
                self._take(node, place, ("Join", *tables))
            case _:
                pass
        return tables

    def _take(self, node: Relation, place: int, signature: Signature) -> None:
        known = self.classes.setdefault(signature, [])
        for one in known:
            merged = merge(one.merged, node)
            if merged is not None:
                one.merged, names = merged
                one.members.append(_Member(node, place, names))
                return
        known.append(_Class(node, [_Member(node, place, {f.id: f.id for f in node.fields})]))

    def worthwhile(self) -> list[_Class]:
        """Those to share, none of them inside another."""
        several = [one for found in self.classes.values() for one in found if len(one.members) > 1 and self._pays(one)]
        several.sort(key=lambda one: -sum(1 for _ in walk(one.merged)))
        chosen: list[_Class] = []
        taken: set[int] = set()
        for one in several:
            free = [m for m in one.members if id(m.node) not in taken]
            if len(free) < 2:
                continue
            one.members = free
            chosen.append(one)
            taken.update(id(node) for m in free for node in walk(m.node))
        return chosen

    def _pays(self, one: _Class) -> bool:
        count = len(one.members)
        kept = KEPT * estimate(one.merged, self.context).rows * (1 + count)
        return (count - 1) * work(one.merged, self.context) > kept


def _rewritten(parts: list[Relation], old: tuple[Definition, ...], classes: list[_Class], context: Context) -> Relation:
    """The query with a definition for each class, before the first part that reads it."""
    next_id = max((int(d.id) for d in old), default=-1) + 1
    readers: dict[int, Relation] = {}
    added: dict[int, list[Definition]] = {}
    for number, one in enumerate(classes):
        copy, fresh = with_fresh_ids(one.merged, context.ids)
        shared = Definition(SharedId(next_id + number), f"part {next_id + number}", copy)
        added.setdefault(min(m.place for m in one.members), []).append(shared)
        for member in one.members:
            fields = member.node.fields
            sources = tuple(fresh[member.names[f.id]] for f in fields)
            readers[id(member.node)] = Reference(shared.id, shared.name, fields, sources)
    made: list[Definition] = []
    for place, part in enumerate(parts):
        made.extend(added.get(place, ()))
        changed = _replaced(part, readers)
        if place == len(parts) - 1:
            return With(tuple(made), changed)
        made.append(Definition(old[place].id, old[place].name, changed))
    raise AssertionError("a query has a body")


def _replaced(node: Relation, readers: dict[int, Relation]) -> Relation:
    reader = readers.get(id(node))
    if reader is not None:
        return reader
    old = inputs(node)
    if not old:
        return node
    new = tuple(_replaced(part, readers) for part in old)
    return rebuilt(node, new)

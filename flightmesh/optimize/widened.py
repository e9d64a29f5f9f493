"""A working table with the columns of a domain beside its own: how a recursion is computed for every outer row at once.

Handed parts of a recursion's step; hands on equal ones for a working table whose rows say which value of the domain they belong
to. What always holds: a value whose recursion has ended is in no working table, so its step gives nothing more.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Expression, Field, conjunction
from flightmesh.ids import ColumnId, RecursionId
from flightmesh.logical.expressions import with_fresh_ids
from flightmesh.logical.relations import Aggregate, Filter, Item, Project, Reference, Relation, Working, passes
from flightmesh.logical.traversal import rewrite_up, walk
from flightmesh.optimize.sharing import Sharing

Bound = dict[ColumnId, Expression]
"""For each outer column, the column of a relation that holds its value."""


@dataclass(frozen=True, slots=True)
class Widened:
    """The working table of recursion `id`, where columns like `fields` (the domain's) stand from place `first` on."""

    id: RecursionId
    first: int
    fields: tuple[Field, ...]

    def is_read(self, node: Relation) -> bool:
        """Whether the working table is read below."""
        return any(isinstance(part, Working) and part.id == self.id for part in walk(node))

    def working(self, node: Working, outer: tuple[ColumnId, ...], sharing: Sharing) -> tuple[Working, Bound]:
        """A reading with the domain's columns."""
        added = tuple(Field(sharing.context.ids.fresh(), f.name, f.type) for f in self.fields)
        places = tuple(range(self.first, self.first + len(added)))
        wide = Working(node.id, node.name, (*node.fields, *added), (*node.places, *places))
        return wide, {o: f.column() for o, f in zip(outer, added, strict=True)}

    def domain(self, outer: tuple[ColumnId, ...], sharing: Sharing) -> tuple[Relation, Bound]:
        """The values of the domain for which rows came last."""
        wide, bound = self.working(Working(self.id, "domain", (), ()), outer, sharing)
        return Aggregate(wide, tuple(passes(f.column()) for f in wide.fields), ()), bound

    def tied(self, node: Relation, bound: Bound, outer: tuple[ColumnId, ...], sharing: Sharing) -> Relation:
        """A relation that is computed for one outer row: each reading gives the rows of that row's value."""

        def change(part: Relation) -> Relation:
            if not isinstance(part, Working) or part.id != self.id:
                return part
            wide, own = self.working(part, outer, sharing)
            same = conjunction(tuple(Call("is_not_distinct_from", (own[o], bound[o]), pa.bool_()) for o in outer))
            assert same is not None
            return Project(Filter(wide, same), tuple(passes(f.column()) for f in part.fields))

        return rewrite_up(node, change)

    def inlined(self, node: Relation, sharing: Sharing) -> Relation:
        """The step with shared relations that read the working table put where they are read."""
        definitions = dict(sharing.context.shared) | {d.id: d.relation for d in sharing.definitions}

        def change(part: Relation) -> Relation:
            if not isinstance(part, Reference):
                return part
            whole = rewrite_up(definitions[part.shared], change)
            return _copied(part, whole, sharing) if self.is_read(whole) else part

        return rewrite_up(node, change)


def _copied(reference: Reference, relation: Relation, sharing: Sharing) -> Relation:
    copy, names = with_fresh_ids(relation, sharing.context.ids)
    by_id = {f.id: f for f in copy.fields}
    pairs = zip(reference.fields, reference.sources, strict=True)
    return Project(copy, tuple(Item(field, by_id[names[source]].column()) for field, source in pairs))

"""Relations that a rule wants computed once: collected while it rewrites, put into the query's root `With` at the end.

Handed relations to share; hands on `Reference`s to them. What always holds: ids of the shared relation and of each
reference are distinct.
"""

from __future__ import annotations

from dataclasses import field

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Field
from flightmesh.ids import ColumnId, SharedId
from flightmesh.logical.relations import Definition, Filter, Project, Reference, Relation, Scan, Values, With
from flightmesh.logical.traversal import walk
from flightmesh.optimize.context import Context


@dataclass(slots=True)
class Sharing:
    """The definitions of one query, old and new, in an order in which each stands after what it reads."""

    context: Context
    definitions: list[Definition] = field(default_factory=list)
    next_id: int = 0

    @classmethod
    def of(cls, relation: Relation, context: Context) -> Sharing:
        """For a query; its own definitions are not taken over (the caller rewrites and adds them)."""
        used = [int(d.id) for d in relation.definitions] if isinstance(relation, With) else []
        return cls(context, [], max(used, default=-1) + 1)

    def add(self, name: str, relation: Relation) -> Definition:
        """A new definition, after all those so far."""
        made = Definition(SharedId(self.next_id), name, relation)
        self.next_id += 1
        self.definitions.append(made)
        return made

    def read(self, definition: Definition, sources: tuple[Field, ...]) -> Reference:
        """A reference with fresh ids for these fields of the definition."""
        fields = tuple(Field(self.context.ids.fresh(), f.name, f.type, f.nullable) for f in sources)
        return Reference(definition.id, definition.name, fields, tuple(f.id for f in sources))

    def finish(self, body: Relation) -> Relation:
        """The body under all definitions."""
        return With(tuple(self.definitions), body) if self.definitions else body


def read_as(definition: Definition, fields: tuple[Field, ...], names: dict[ColumnId, ColumnId]) -> Reference:
    """A reference that brings the `fields` of a relation back under their old ids; `names` are their ids in the definition."""
    return Reference(definition.id, definition.name, fields, tuple(names[f.id] for f in fields))


def cheap_to_repeat(relation: Relation) -> bool:
    """Whether reading the relation twice costs less than keeping its rows: scans, filters and projections only."""
    return all(isinstance(node, Scan | Filter | Project | Values) for node in walk(relation))

"""Who reads the shared relations of a query, and under which filters.

Handed relations; hands on their `References`, each with the predicates of the Filter right above it, or a copy in which each
is replaced. What always holds: predicates are over the reference's own columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Column, Expression, conjuncts, substitute
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Filter, Reference, Relation
from flightmesh.logical.traversal import inputs, rebuilt


@dataclass(frozen=True, slots=True)
class Reader:
    """A reference and what its reader keeps of its rows."""

    reference: Reference
    predicates: tuple[Expression, ...]

    def of_source(self, parts: tuple[Expression, ...]) -> tuple[Expression, ...]:
        """Predicates over the reference's columns said of the shared relation's."""
        pairs = zip(self.reference.fields, self.reference.sources, strict=True)
        names: dict[ColumnId, Expression] = {f.id: Column(s, f.name, f.type, f.nullable) for f, s in pairs}
        return tuple(substitute(part, names) for part in parts)


def readers(relation: Relation) -> Iterator[Reader]:
    """Every reader in a relation."""
    match relation:
        case Filter(input=Reference() as reference, predicate=predicate):
            yield Reader(reference, conjuncts(predicate))
        case Reference():
            yield Reader(relation, ())
        case _:
            for part in inputs(relation):
                yield from readers(part)


def replaced(relation: Relation, change: Callable[[Reader], Relation | None]) -> Relation:
    """The relation with each reader (its filter included) replaced by what `change` makes of it; None leaves it."""
    match relation:
        case Filter(input=Reference() as reference, predicate=predicate):
            return change(Reader(reference, conjuncts(predicate))) or relation
        case Reference():
            return change(Reader(relation, ())) or relation
        case _:
            old = inputs(relation)
            if not old:
                return relation
            new = tuple(replaced(part, change) for part in old)
            return rebuilt(relation, new)

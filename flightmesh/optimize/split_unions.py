"""Rule: a shared UNION ALL whose readers want one branch each becomes several shared relations.

Handed a query whose filters are pushed down; hands on one in which each branch of such a union is shared by itself and a
reader reads only the branches that its filter can keep: a column that is a constant in a branch (`'s' as sale_type`) stands
as that constant in the reader. What always holds: unions without such constants, or without such filters, stay.
"""

from __future__ import annotations

from dataclasses import field, replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Expression, Field, Literal, columns_of, conjunction, substitute
from flightmesh.ids import ColumnId, SharedId
from flightmesh.logical.relations import (
    Definition,
    Filter,
    Item,
    Project,
    Quantifier,
    Reference,
    Relation,
    SetKind,
    SetOperation,
    With,
)
from flightmesh.optimize.booleans import is_false, is_null, is_true
from flightmesh.optimize.context import Context
from flightmesh.optimize.fold import fold
from flightmesh.optimize.readers import Reader, readers, replaced
from flightmesh.optimize.shared import inline_shared
from flightmesh.optimize.simplify import empty


def split_shared_unions(relation: Relation, context: Context) -> Relation:
    """The query with such unions taken apart."""
    if not isinstance(relation, With):
        return relation
    splitting = _Splitting(context, max(int(d.id) for d in relation.definitions) + 1)
    wanted = _read_by_constant(relation)
    made: list[Definition] = []
    for old in relation.definitions:
        changed = replaced(old.relation, splitting.read)
        if old.id in wanted and isinstance(changed, SetOperation):
            made.extend(splitting.split(old, changed))
        else:
            made.append(old if changed is old.relation else Definition(old.id, old.name, changed))
    if not splitting.branches:
        return relation
    return inline_shared(With(tuple(made), replaced(relation.body, splitting.read)), context)


def _read_by_constant(relation: With) -> set[SharedId]:
    """Shared unions of which some reader filters a column that is a constant in a branch."""
    constants: dict[SharedId, set[ColumnId]] = {}
    for definition in relation.definitions:
        union = definition.relation
        if isinstance(union, SetOperation) and union.kind is SetKind.UNION and union.quantifier is Quantifier.ALL:
            places = {place for part in union.inputs for place in _constants(part)}
            constants[definition.id] = {union.fields[place].id for place in places}
    found: set[SharedId] = set()
    for part in (*(d.relation for d in relation.definitions), relation.body):
        for reader in readers(part):
            read = frozenset[ColumnId]().union(*(columns_of(p) for p in reader.of_source(reader.predicates)))
            if read & constants.get(reader.reference.shared, set()):
                found.add(reader.reference.shared)
    return found


def _constants(part: Relation) -> dict[int, Literal]:
    """The columns of a branch that are constants, by their place."""
    if not isinstance(part, Project):
        return {}
    return {place: item.expression for place, item in enumerate(part.items) if isinstance(item.expression, Literal)}


@dataclass(frozen=True, slots=True)
class _Branch:
    """A branch with an id of its own; `columns`: what stands for each column of the union, by its id there."""

    id: SharedId
    name: str
    columns: dict[ColumnId, Field | Literal]


@dataclass(slots=True)
class _Splitting:
    context: Context
    next_id: int
    branches: dict[SharedId, list[_Branch]] = field(default_factory=dict)

    def split(self, old: Definition, union: SetOperation) -> list[Definition]:
        """A definition for each branch."""
        made: list[Definition] = []
        for number, part in enumerate(union.inputs):
            fixed = _constants(part)
            columns: dict[ColumnId, Field | Literal] = {
                f.id: fixed.get(place, part.fields[place]) for place, f in enumerate(union.fields)
            }
            branch = _Branch(SharedId(self.next_id), f"{old.name} {number + 1}", columns)
            self.next_id += 1
            self.branches.setdefault(old.id, []).append(branch)
            made.append(Definition(branch.id, branch.name, part))
        return made

    def read(self, reader: Reader) -> Relation | None:
        """The union, for a reader, of the branches that its filter can keep."""
        branches = self.branches.get(reader.reference.shared)
        if branches is None:
            return None
        parts = [part for branch in branches if (part := self._read_branch(reader, branch)) is not None]
        if not parts:
            return empty(reader.reference)
        if len(parts) == 1:
            (only,) = parts
            fields = reader.reference.fields
            return replace(only, items=tuple(Item(f, i.expression) for f, i in zip(fields, only.items, strict=True)))
        return SetOperation(SetKind.UNION, Quantifier.ALL, tuple(parts), reader.reference.fields)

    def _read_branch(self, reader: Reader, branch: _Branch) -> Project | None:
        """None where the filter drops every row of the branch."""
        reference = reader.reference
        fields: list[Field] = []
        sources: list[ColumnId] = []
        values: dict[ColumnId, Expression] = {}
        for wanted, source in zip(reference.fields, reference.sources, strict=True):
            stands = branch.columns[source]
            if isinstance(stands, Literal):
                values[wanted.id] = stands
                continue
            made = Field(self.context.ids.fresh(), wanted.name, wanted.type, wanted.nullable)
            fields.append(made)
            sources.append(stands.id)
            values[wanted.id] = made.column()
        kept = [part for p in reader.predicates if not is_true(part := fold(substitute(p, values)))]
        if any(is_false(part) or is_null(part) for part in kept):
            return None
        rows: Relation = Reference(branch.id, branch.name, tuple(fields), tuple(sources))
        predicate = conjunction(tuple(kept))
        rows = rows if predicate is None else Filter(rows, predicate)
        ids = self.context.ids
        return Project(rows, tuple(Item(replace(f, id=ids.fresh()), values[f.id]) for f in reference.fields))

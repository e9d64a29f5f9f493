"""Random shared relations, read by several readers each under its own filter: checked after every rule against DuckDB."""

from __future__ import annotations

import pytest

from flightmesh.expression.nodes import Field
from flightmesh.ids import SharedId
from flightmesh.logical.expressions import with_fresh_ids
from flightmesh.logical.relations import (
    Definition,
    Filter,
    Item,
    Join,
    JoinKind,
    Project,
    Quantifier,
    Reference,
    Relation,
    SetKind,
    SetOperation,
    With,
    passes,
)
from tests.comparison import rows_of
from tests.optimize.building import STORED, lit
from tests.optimize.checking import answer, connection, optimized_step_by_step
from tests.optimize.random_relations import INT, RandomQuery
from tests.running import run_relation

FIRST_NEW_ID = 100_000
SEEDS = 72
CHUNK = 18


class Sharing(RandomQuery):
    """Grows a relation, and readers of it."""

    def shared(self) -> Relation:
        """A union of branches with a constant each, half of the time."""
        below = [self.relation(2, ()) for _ in range(self.random.choice([1, 1, 2, 3]))]
        numbers = [[f for f in part.fields if f.type == INT] for part in below]
        if len(below) == 1 or not all(numbers):
            return below[0]
        arms: list[Relation] = []
        for place, part in enumerate(below):
            kind = Item(Field(self.ids.fresh(), "kind", INT), lit(place))
            arms.append(Project(part, (passes(numbers[place][0].column()), kind)))
        fields = tuple(Field(self.ids.fresh(), name, INT) for name in ("n", "kind"))
        return SetOperation(SetKind.UNION, Quantifier.ALL, tuple(arms), fields)

    def reader(self, definition: Definition) -> Relation:
        """A reference, mostly under a filter."""
        kept = self.random.sample(definition.relation.fields, self.random.randint(1, len(definition.relation.fields)))
        fields = tuple(Field(self.ids.fresh(), f.name, f.type, f.nullable) for f in kept)
        read = Reference(definition.id, definition.name, fields, tuple(f.id for f in kept))
        if self.random.random() < 0.2:
            return read
        return Filter(read, self.predicate(tuple(f.column() for f in fields), ()))

    def query(self) -> Relation:
        """Two or three readers of one shared relation, or of one that reads another."""
        first = Definition(SharedId(0), "first", self.shared())
        definitions = [first]
        if self.random.random() < 0.3:
            joined = self.joined(self.reader(first), self.reader(first))
            definitions.append(Definition(SharedId(1), "second", joined))
        body = self.reader(self.random.choice(definitions))
        for _ in range(self.random.randint(1, 2)):
            body = self.joined(body, self.reader(self.random.choice(definitions)))
        return With(tuple(definitions), body)

    def twice(self) -> Relation:
        """The same relation in two places, under a projection, a filter or a grouping of its own in each."""
        base = self.random.choice([self.aggregate, self.aggregate, self.join, self.distinct])(3, ())
        copy, _ = with_fresh_ids(base, self.ids)
        return self.joined(self.over(base), self.over(copy))

    def over(self, relation: Relation) -> Relation:
        match self.random.randint(0, 3):
            case 0:
                return self.aggregated(relation, (), ())
            case 1:
                return Filter(relation, self.predicate(tuple(f.column() for f in relation.fields), ()))
            case 2:
                return Project(relation, tuple(passes(f.column()) for f in self.random.sample(relation.fields, 1)))
            case _:
                return relation

    def joined(self, left: Relation, right: Relation) -> Relation:
        kind = self.random.choice([JoinKind.INNER, JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI])
        return Join(left, right, kind, self.condition(left, right, (), kind))


@pytest.mark.parametrize("start", range(0, SEEDS, CHUNK))
def test_every_rule_keeps_the_answer(start: int) -> None:
    database = connection()
    for seed in range(start, start + CHUNK):
        query = Sharing(seed).twice() if seed % 2 else Sharing(seed).query()
        try:
            optimized = optimized_step_by_step(query, database, FIRST_NEW_ID)
            got = sorted(rows_of(run_relation(optimized, tables=STORED, partitions=1 + seed % 3)), key=repr)
            assert got == answer(query, database)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def test_there_are_unions_with_constants_among_them() -> None:
    found = [Sharing(seed).query() for seed in range(SEEDS)]
    assert any(isinstance(q, With) and isinstance(q.definitions[0].relation, SetOperation) for q in found)

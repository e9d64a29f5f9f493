"""Random queries over the small tables, built as relations: every kind of relation, dependent joins to three levels among them.

The same seed gives the same query. Limits stand over sorts by all columns, so that every query has one answer.
"""

from __future__ import annotations

import random

import pyarrow as pa

from flightmesh.expression.nodes import Column, Expression, Field, SortKey, conjunction
from flightmesh.expression.registry import bind_aggregate
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Apply,
    Filter,
    Item,
    Join,
    JoinKind,
    Limit,
    Project,
    Quantifier,
    Relation,
    SetKind,
    SetOperation,
    Sort,
    passes,
)
from tests.optimize.building import TABLES, call, lit, scan

Outer = tuple[Column, ...]

INT, TEXT, FLOAT = pa.int64(), pa.string(), pa.float64()
COMPARISONS = ("equal", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "is_not_distinct_from")
CONSTANTS: dict[pa.DataType, tuple[object, ...]] = {
    INT: (0, 1, 2, 3, 5, 7, 20, 50),
    TEXT: ("a", "b", "f", ""),
    FLOAT: (0.5, 2.0, 4.5),
}


class RandomQuery:
    """Grows a query from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ids = ColumnIds()

    def build(self) -> Relation:
        """A query whose columns have a fixed order: often a bare join or the like, which a rule may be tempted to reorder."""
        relation = self.relation(4, ())
        if self.random.random() < 0.4:
            return relation
        kept = self.random.sample(relation.fields, self.random.randint(1, len(relation.fields)))
        return Project(relation, tuple(passes(f.column()) for f in kept))

    def relation(self, depth: int, outer: Outer) -> Relation:
        """A relation that may read the outer columns."""
        if depth <= 0:
            return scan(self.random.choice([*TABLES, "t", "u"]), self.ids)
        makers = [self.filter, self.filter, self.filter, self.project, self.join, self.join, self.apply, self.apply]
        makers += [self.aggregate, self.distinct, self.union, self.top]
        return self.random.choice(makers)(depth, outer)

    def filter(self, depth: int, outer: Outer) -> Relation:
        below = self.relation(depth - 1, outer)
        columns = tuple(f.column() for f in below.fields)
        parts = tuple(self.predicate(columns, outer) for _ in range(self.random.randint(1, 3)))
        return Filter(below, conjunction(parts) or parts[0])

    def project(self, depth: int, outer: Outer) -> Relation:
        below = self.relation(depth - 1, outer)
        columns = [f.column() for f in below.fields]
        items = [passes(c) for c in self.random.sample(columns, self.random.randint(1, len(columns)))]
        for _ in range(self.random.randint(0, 2)):
            made = self.value(tuple(columns), outer)
            items.append(Item(Field(self.ids.fresh(), "made", made.type), made))
        return Project(below, tuple(items))

    def join(self, depth: int, outer: Outer) -> Relation:
        left, right = self.relation(depth - 1, outer), self.relation(depth - 2, outer)
        kind = self.random.choice([*JoinKind, JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI])
        if kind is JoinKind.SINGLE:
            right = self.one_row(right)
        condition = self.condition(left, right, () if kind in (JoinKind.FULL, JoinKind.RIGHT) else outer, kind)
        mark = Field(self.ids.fresh(), "mark", pa.bool_()) if kind is JoinKind.MARK else None
        return self.marked(Join(left, right, kind, condition, mark))

    def apply(self, depth: int, outer: Outer) -> Relation:
        left = self.relation(depth - 1, outer)
        inner = (*outer, *(f.column() for f in left.fields))
        right = self.relation(depth - 1, inner)
        if self.random.random() < 0.6:
            columns = tuple(f.column() for f in right.fields)
            right = Filter(right, self.tied(columns, inner))
        kinds = [JoinKind.SINGLE, JoinKind.SINGLE, JoinKind.MARK, JoinKind.MARK, JoinKind.SEMI, JoinKind.ANTI]
        kind = self.random.choice([*kinds, JoinKind.INNER, JoinKind.LEFT])
        if kind is JoinKind.SINGLE:
            right = self.one_row(right)
        condition = None
        if kind is not JoinKind.SINGLE and self.random.random() < 0.5:
            condition = self.condition(left, right, (), JoinKind.INNER)
        mark = Field(self.ids.fresh(), "mark", pa.bool_()) if kind is JoinKind.MARK else None
        return self.marked(Apply(left, right, kind, condition, mark))

    def marked(self, node: Join | Apply) -> Relation:
        """A mark is mostly filtered by, as WHERE does, and sometimes an output."""
        if node.mark is None:
            return node
        mark = node.mark.column()
        kept = tuple(passes(f.column()) for f in node.left.fields)
        match self.random.randint(0, 3):
            case 0:
                return Project(Filter(node, mark), kept)
            case 1:
                return Project(Filter(node, call("not", mark)), kept)
            case 2:
                return Project(Filter(node, call("or", mark, self.predicate(tuple(i.field.column() for i in kept), ()))), kept)
            case _:
                shown = Field(self.ids.fresh(), "shown", INT)
                return Project(node, (*kept, Item(shown, _cast(mark))))

    def one_row(self, relation: Relation) -> Relation:
        if self.random.random() < 0.7:
            return self.aggregated(relation, (), ())
        return Limit(self.sorted(relation), 1)

    def aggregate(self, depth: int, outer: Outer) -> Relation:
        below = self.relation(depth - 1, outer)
        columns = [f.column() for f in below.fields]
        groups = self.random.sample(columns, self.random.randint(0, min(2, len(columns))))
        return self.aggregated(below, tuple(passes(c) for c in groups), outer)

    def aggregated(self, below: Relation, groups: tuple[Item, ...], outer: Outer) -> Relation:
        columns = tuple(f.column() for f in below.fields)
        made = []
        for _ in range(self.random.randint(1, 2)):
            name = self.random.choice(["count_star", "count", "sum", "min", "max", "count"])
            numbers = [c for c in columns if c.type == INT] or None
            if name == "count_star" or numbers is None:
                found = bind_aggregate("count_star", ())
            else:
                found = bind_aggregate(name, (self.random.choice(numbers),), distinct=self.random.random() < 0.2)
            made.append(found)
        items = []
        casts = []
        for found in made:
            field = Field(self.ids.fresh(), found.function, found.type)
            items.append(AggregateItem(field, found))
            casts.append(field)
        grouped = Aggregate(below, groups, tuple(items))
        if all(f.type == INT for f in casts):
            return grouped
        narrow = [passes(g.field.column()) for g in groups]
        for field in casts:
            if field.type == INT:
                narrow.append(passes(field.column()))
            else:
                narrow.append(Item(Field(self.ids.fresh(), field.name, INT), _cast(field.column())))
        return Project(grouped, tuple(narrow))

    def distinct(self, depth: int, outer: Outer) -> Relation:
        below = self.relation(depth - 1, outer)
        return Aggregate(below, tuple(passes(f.column()) for f in below.fields), ())

    def union(self, depth: int, outer: Outer) -> Relation:
        parts = [self.relation(depth - 2, outer) for _ in range(2)]
        numbers = [[f for f in part.fields if f.type == INT] for part in parts]
        if not all(numbers):
            return parts[0]
        width = min(2, *(len(n) for n in numbers))
        narrowed = [self.arm(part, fields[:width]) for part, fields in zip(parts, numbers, strict=True)]
        fields = tuple(Field(self.ids.fresh(), "n", INT) for _ in range(width))
        return SetOperation(self.random.choice(list(SetKind)), self.random.choice(list(Quantifier)), tuple(narrowed), fields)

    def arm(self, part: Relation, fields: list[Field]) -> Relation:
        """An input of a set operation; sometimes a join of relations that give one column each."""
        if len(fields) == 1 or self.random.random() < 0.6:
            return Project(part, tuple(passes(f.column()) for f in fields))
        other = scan(self.random.choice(["t", "u", "e"]), self.ids)
        number = self.random.choice([f for f in other.fields if f.type == INT]).column()
        first = Project(part, (passes(fields[-1].column()),))
        return Join(first, Project(other, (passes(number),)), JoinKind.INNER, call("equal", fields[-1].column(), number))

    def top(self, depth: int, outer: Outer) -> Relation:
        count = self.random.choice([0, 1, 2, 3, 5])
        return Limit(self.sorted(self.relation(depth - 1, outer)), count, self.random.choice([0, 0, 1]))

    def sorted(self, relation: Relation) -> Relation:
        columns = [f.column() for f in relation.fields]
        self.random.shuffle(columns)
        keys = (SortKey(c, self.random.random() < 0.5, self.random.random() < 0.5) for c in columns)
        return Sort(relation, tuple(keys))

    def condition(self, left: Relation, right: Relation, outer: Outer, kind: JoinKind) -> Expression | None:
        lefts, rights = tuple(f.column() for f in left.fields), tuple(f.column() for f in right.fields)
        pairs = [(a, b) for a in lefts for b in rights if a.type == b.type and a.type != FLOAT]
        if not pairs:
            return None
        parts = [call("equal", *self.random.choice(pairs))]
        if kind is not JoinKind.FULL and self.random.random() < 0.3:
            parts.append(self.predicate((*lefts, *rights), outer))
        if kind is not JoinKind.FULL and self.random.random() < 0.2:
            parts = [self.predicate((*lefts, *rights), outer)]
        return conjunction(tuple(parts))

    def tied(self, columns: Outer, outer: Outer) -> Expression:
        """A predicate between a column of this level and an outer one."""
        pairs = [(a, b) for a in columns for b in outer if a.type == b.type]
        if not pairs:
            return self.predicate(columns, outer)
        return call(self.random.choice(COMPARISONS), *self.random.choice(pairs))

    def predicate(self, columns: Outer, outer: Outer) -> Expression:
        if outer and self.random.random() < 0.3:
            return self.tied(columns, outer)
        match self.random.randint(0, 7):
            case 0:
                return call("is_null" if self.random.random() < 0.5 else "is_not_null", self.random.choice(columns))
            case 1:
                return call("or", self.compared(columns), self.compared(columns))
            case 2:
                return call("not", call("and", self.compared(columns), self.compared(columns)))
            case 3:
                a = self.random.choice(columns)
                return call("equal", call("coalesce", a, self.constant(a.type)), self.constant(a.type))
            case _:
                return self.compared(columns)

    def compared(self, columns: Outer) -> Expression:
        a = self.random.choice(columns)
        same = [c for c in columns if c.type == a.type and c.id != a.id]
        other = self.random.choice(same) if same and self.random.random() < 0.4 else self.constant(a.type)
        return call(self.random.choice(COMPARISONS), a, other)

    def constant(self, kind: pa.DataType) -> Expression:
        if kind not in CONSTANTS or self.random.random() < 0.05:
            return lit(None, kind)
        return lit(self.random.choice(CONSTANTS[kind]), kind)

    def value(self, columns: Outer, outer: Outer) -> Expression:
        numbers = [c for c in (*columns, *(outer if self.random.random() < 0.3 else ())) if c.type == INT]
        if not numbers:
            return self.random.choice(columns)
        a = self.random.choice(numbers)
        match self.random.randint(0, 3):
            case 0:
                return call("add", a, lit(1))
            case 1:
                return call("coalesce", a, lit(0))
            case 2:
                return call("subtract", a, self.random.choice(numbers))
            case _:
                return a if a in columns else call("add", a, lit(0))


def _cast(column: Column) -> Expression:
    from flightmesh.expression.registry import bind_cast

    return bind_cast(column, INT)

"""The general half of decorrelation: a dependent join pushed down over the domain of its correlated columns.

Handed an Apply that reads nothing from outside itself; hands on an equal relation in which its right side is computed once
for each distinct value of the left columns that it reads (the domain), joined back to the left. After Neumann & Kemper,
"Unnesting Arbitrary Queries" (BTW 2015). What always holds: domain columns are matched null-safely, so a NULL outer value
is a value like any other.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError
from flightmesh.expression.nodes import Call, Column, Expression, Field, InList, Literal, conjunction, conjuncts, substitute
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import free_columns, renamed, substitute_columns, with_expressions, with_fresh_ids
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Apply,
    Definition,
    Expand,
    Filter,
    Item,
    Join,
    JoinKind,
    Limit,
    Project,
    Recursion,
    Relation,
    SetOperation,
    Sort,
    Unnest,
    Window,
    Working,
    passes,
)
from flightmesh.optimize.grouped_limit import limit_each, with_order
from flightmesh.optimize.nullability import NEVER_NULL_AGGREGATES
from flightmesh.optimize.pulling import empty_value
from flightmesh.optimize.sharing import Sharing, cheap_to_repeat, read_as
from flightmesh.optimize.widened import Bound, Widened


def unnest_by_domain(node: Apply, sharing: Sharing) -> Relation:
    """The Apply as a join of its left side with the right side computed for every value of the domain."""
    read = free_columns(node.right)
    columns = tuple(f for f in node.left.fields if f.id in read)
    copy, names = with_fresh_ids(node.left, sharing.context.ids)
    left = node.left
    source = copy
    if not cheap_to_repeat(copy):
        kept = sharing.add("outer", copy)
        left = read_as(kept, node.left.fields, names)
        source = sharing.read(kept, tuple(f for f in copy.fields if f.id in {names[c.id] for c in columns}))
        position = dict(zip(source.sources, source.fields, strict=True))
        inner = [position[names[c.id]] for c in columns]
    else:
        by_id = {f.id: f for f in copy.fields}
        inner = [by_id[names[c.id]] for c in columns]
    values = Aggregate(source, tuple(passes(f.column()) for f in inner), ())
    domain = _Domain(sharing, sharing.add("domain", values), tuple(f.id for f in columns))
    pushed, bound = domain.push(node.right)
    tied = tuple(same(f.column(), bound[f.id]) for f in columns)
    return Join(left, pushed, node.kind, conjunction((*conjuncts(node.condition), *tied)), node.mark, node.at)


def same(a: Expression, b: Expression) -> Expression:
    """Equal, NULL being equal to NULL."""
    return Call("is_not_distinct_from", (a, b), pa.bool_())


@dataclass(frozen=True, slots=True)
class _Domain:
    """The distinct values of the `outer` columns, defined once and read wherever a branch needs them."""

    sharing: Sharing
    definition: Definition
    outer: tuple[ColumnId, ...]
    within: tuple[Widened, ...] = ()

    def read(self) -> tuple[Relation, Bound]:
        """The domain under fresh ids; within a recursion's step the values for which rows came last."""
        if self.within:
            return self.within[-1].domain(self.outer, self.sharing)
        reference = self.sharing.read(self.definition, self.definition.relation.fields)
        return reference, {o: f.column() for o, f in zip(self.outer, reference.fields, strict=True)}

    def reads(self, node: Relation) -> bool:
        return bool(free_columns(node) & frozenset(self.outer)) or any(wide.is_read(node) for wide in self.within)

    def push(self, node: Relation) -> tuple[Relation, Bound]:
        """The relation computed for each value of the domain, and where each value stands in it."""
        if not self.reads(node):
            reference, bound = self.read()
            return Join(reference, node, JoinKind.INNER), bound
        match node:
            case Filter():
                below, bound = self.push(node.input)
                return Filter(below, substitute(node.predicate, bound)), bound
            case Project():
                below, bound = self.push(node.input)
                items = tuple(Item(i.field, substitute(i.expression, bound)) for i in node.items)
                return Project(below, (*items, *_passed(bound, items))), bound
            case Sort():
                return self.push(node.input)
            case Limit():
                return self._limit(node)
            case Aggregate():
                return self._aggregate(node)
            case Window():
                below, bound = self.push(node.input)
                window = with_expressions(replace(node, input=below), lambda e: substitute(e, bound))
                assert isinstance(window, Window)
                return replace(window, partition=(*window.partition, *bound.values())), bound
            case Unnest():
                below, bound = self.push(node.input)
                return with_expressions(replace(node, input=below), lambda e: substitute(e, bound)), bound
            case Expand():
                return self._expand(node)
            case Join():
                return self._join(node)
            case Apply():
                below, bound = self.push(node.left)
                right = substitute_columns(node.right, bound)
                for wide in self.within:
                    right = wide.tied(right, bound, self.outer, self.sharing)
                condition = None if node.condition is None else substitute(node.condition, bound)
                return replace(node, left=below, right=right, condition=condition), bound
            case SetOperation():
                return self._set_operation(node)
            case Recursion():
                return self._recursion(node)
            case Working():
                wide = next(wide for wide in self.within if wide.id == node.id)
                return wide.working(node, self.outer, self.sharing)
            case _:
                raise InternalError(f"a {type(node).__name__} cannot be correlated")

    def _limit(self, node: Limit) -> tuple[Relation, Bound]:
        rows, keys = with_order(node.input, self.sharing.context)
        below, bound = self.push(rows)
        changed = tuple(replace(k, expression=substitute(k.expression, bound)) for k in keys)
        kept = limit_each(below, _columns(bound), changed, node, self.sharing.context)
        items = tuple(passes(f.column()) for f in node.fields)
        return Project(kept, (*items, *_passed(bound, items))), bound

    def _aggregate(self, node: Aggregate) -> tuple[Relation, Bound]:
        below, bound = self.push(node.input)
        changed = with_expressions(node, lambda e: substitute(e, bound))
        assert isinstance(changed, Aggregate)
        grouped = Aggregate(below, (*changed.groups, *_passed(bound, changed.groups)), changed.aggregates)
        if node.groups:
            return grouped, bound
        counts = [a for a in node.aggregates if a.call.function in NEVER_NULL_AGGREGATES]
        names = {a.field.id: self.sharing.context.ids.fresh() for a in counts}
        reference, fresh = self.read()
        tied = conjunction(tuple(same(fresh[o], bound[o]) for o in self.outer))
        joined = Join(reference, renamed(grouped, names), JoinKind.LEFT, tied)
        items = tuple(_or_empty(a, names) for a in node.aggregates)
        return Project(joined, (*items, *_passed(fresh, items))), fresh

    def _expand(self, node: Expand) -> tuple[Relation, Bound]:
        """A group that is there without rows is there for each value of the domain: a row of the domain alone makes it."""
        below, bound = self.push(node.input)
        keys = tuple(Item(i.field, substitute(i.expression, bound)) for i in node.keys)
        if node.present is None:
            return replace(node, input=below, keys=keys), bound
        present, number = node.present.column(), node.number.column()
        marked = Project(below, (*(passes(f.column()) for f in below.fields), Item(node.present, Literal(pa.scalar(True)))))
        reference, fresh = self.read()
        joined = Join(reference, marked, JoinKind.LEFT, conjunction(tuple(same(fresh[o], bound[o]) for o in self.outer)))
        whole = tuple(Literal(pa.scalar(n, node.number.type)) for n, kept in enumerate(node.sets) if not kept)
        there = Call("or", (Call("is_not_null", (present,), pa.bool_()), InList(number, whole)), pa.bool_())
        return Filter(replace(node, input=joined, keys=keys, present=None), there), fresh

    def _join(self, node: Join) -> tuple[Relation, Bound]:
        if node.kind is JoinKind.RIGHT:
            swapped = replace(node, left=node.right, right=node.left, kind=JoinKind.LEFT)
            return self._join(swapped)
        left_reads, right_reads = self.reads(node.left), self.reads(node.right)
        if node.kind is JoinKind.INNER and right_reads and not left_reads:
            right, bound = self.push(node.right)
            return replace(node, right=right, condition=_changed(node.condition, bound)), bound
        left, bound = self.push(node.left)
        condition = _changed(node.condition, bound)
        if not right_reads and node.kind is not JoinKind.FULL:
            return replace(node, left=left, condition=condition), bound
        right, other = self.push(node.right)
        tied = tuple(same(bound[o], other[o]) for o in self.outer)
        made = replace(node, left=left, right=right, condition=conjunction((*conjuncts(condition), *tied)))
        return self._either(made, bound, other) if node.kind is JoinKind.FULL else (made, bound)

    def _either(self, joined: Join, bound: Bound, other: Bound) -> tuple[Relation, Bound]:
        """After a FULL join the domain's value is on whichever side is there."""
        items: list[Item] = [passes(f.column()) for f in joined.fields]
        found: Bound = {}
        for outer in self.outer:
            a, b = bound[outer], other[outer]
            made = Field(self.sharing.context.ids.fresh(), "domain", a.type)
            items.append(Item(made, Call("coalesce", (a, b), a.type)))
            found[outer] = made.column()
        return Project(joined, tuple(items)), found

    def _recursion(self, node: Recursion) -> tuple[Relation, Bound]:
        """The recursions of all values of the domain at once: rows, those that came last too, have their value beside them."""
        seed, first = self.push(node.seed)
        wide = Widened(node.id, len(node.fields), self.definition.relation.fields)
        step, last = replace(self, within=(*self.within, wide)).push(wide.inlined(node.step, self.sharing))
        added = tuple(Field(self.sharing.context.ids.fresh(), f.name, f.type) for f in wide.fields)
        ids = [tuple(c.id for c in _columns({o: bound[o] for o in self.outer})) for bound in (first, last)]
        made = Recursion(
            seed,
            step,
            node.id,
            node.name,
            node.quantifier,
            (*node.fields, *added),
            (*node.seed_columns, *ids[0]),
            (*node.step_columns, *ids[1]),
        )
        return made, {o: f.column() for o, f in zip(self.outer, added, strict=True)}

    def _set_operation(self, node: SetOperation) -> tuple[Relation, Bound]:
        parts = []
        for part in node.inputs:
            pushed, bound = self.push(part)
            parts.append(Project(pushed, (*(passes(f.column()) for f in part.fields), *_passed(bound, ()))))
        added = tuple(Field(self.sharing.context.ids.fresh(), f.name, f.type) for f in self.definition.relation.fields)
        made = replace(node, inputs=tuple(parts), fields=(*node.fields, *added))
        return made, {o: f.column() for o, f in zip(self.outer, added, strict=True)}


def _columns(bound: Bound) -> tuple[Column, ...]:
    return tuple(c for c in bound.values() if isinstance(c, Column))


def _passed(bound: Bound, present: tuple[Item, ...]) -> tuple[Item, ...]:
    """Items that hand the domain's columns on, but for those already there."""
    known = {item.field.id for item in present}
    return tuple(passes(c) for c in _columns(bound) if c.id not in known)


def _changed(condition: Expression | None, bound: Bound) -> Expression | None:
    return None if condition is None else substitute(condition, bound)


def _or_empty(item: AggregateItem, names: dict[ColumnId, ColumnId]) -> Item:
    if item.field.id not in names:
        return passes(item.field.column())
    inner = Column(names[item.field.id], item.field.name, item.field.type)
    return Item(item.field, Call("coalesce", (inner, empty_value(item.field, item.call.function)), item.field.type))

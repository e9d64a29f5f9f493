"""Rule: rows are grouped before a join where that leaves far fewer of them to join and to group.

A grouping over a join, all of whose aggregates read one side, may first group that side by what the join and the grouping read
of it: sums of sums, least of least (Yan and Larson, "Eager Aggregation and Lazy Aggregation", VLDB 1995). Handed a query whose
joins are ordered; hands on one with more groupings. What always holds: rows that a join repeats are repeated with their
partial results; it is expected to pay; what rows without a partner could make fail (a cast of text) is not computed of them. On
the right of a LEFT join only columns are taken apart, which are NULL in rows without a partner, as their partial results are.
"""

from __future__ import annotations

from dataclasses import field, replace
from decimal import Decimal

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    Expression,
    Field,
    Literal,
    When,
    columns_of,
    walk,
)
from flightmesh.expression.properties import is_volatile
from flightmesh.expression.registry import bind_aggregate
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import call_expressions
from flightmesh.logical.relations import Aggregate, AggregateItem, Item, Join, JoinKind, Project, Relation, passes
from flightmesh.logical.traversal import expressions, rewrite_down
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.fragile import is_fragile
from flightmesh.optimize.nullability import may_be_null, never_null
from flightmesh.optimize.work import JOIN

LEAST_ROWS = 50_000
"""Fewer rows are joined and grouped sooner than a further stage starts."""
BUILD = 4.0
"""Of a row of the side that is built, whose keys repeat as a rule where grouping pays, beside `work.JOIN`."""
WORTHWHILE = 0.6
"""Share of the cost that must be expected to be left, at most."""

Ids = frozenset[ColumnId]
_KINDS = (JoinKind.INNER, JoinKind.LEFT, JoinKind.RIGHT)


def group_early(relation: Relation, context: Context) -> Relation:
    """The query with early groupings where they pay."""
    return rewrite_down(relation, lambda node: _aggregate(node, context) if isinstance(node, Aggregate) else node)


def _aggregate(node: Aggregate, context: Context) -> Relation:
    join = node.input
    if not isinstance(join, Join) or join.kind not in _KINDS or join.condition is None or not node.groups:
        return node
    if any(map(is_volatile, (*expressions(node), join.condition))) or not node.aggregates:
        return node
    for inside, outside in ((join.left, join.right), (join.right, join.left)):
        if estimate(inside, context).rows < LEAST_ROWS:
            continue
        early = _Early(context, _ids(inside), _ids(outside), _is_padded(join, inside), never_null(inside, context))
        keys = early.keys(node, join.condition)
        items = None if keys is None else [early.item(item) for item in node.aggregates]
        if keys is None or items is None or not all(items):
            continue
        if any(is_fragile(part) for made in early.partial for part in call_expressions(made.call)):
            continue
        grouped = Aggregate(inside, tuple(passes(column) for column in keys), tuple(early.partial))
        if _pays(node, join, grouped, inside, context):
            moved = replace(join, left=grouped) if inside is join.left else replace(join, right=grouped)
            return early.finished(replace(node, input=moved), [item for item in items if item is not None])
    return node


def _is_padded(join: Join, side: Relation) -> bool:
    """Whether rows of the other side without a partner are kept."""
    return (join.kind is JoinKind.LEFT and side is join.right) or (join.kind is JoinKind.RIGHT and side is join.left)


def _ids(relation: Relation) -> Ids:
    return frozenset(f.id for f in relation.fields)


def _pays(node: Aggregate, join: Join, grouped: Aggregate, inside: Relation, context: Context) -> bool:
    rows = estimate(inside, context).rows
    left = estimate(grouped, context).rows / rows
    late = (BUILD if inside is join.right else JOIN) * rows + estimate(join, context).rows * _each(node)
    return rows * _each(grouped) + left * late < WORTHWHILE * late


def _each(node: Aggregate) -> float:
    """The cost of grouping one row."""
    return 1.0 + len(node.groups) + sum(2.0 if any(isinstance(a, Case) for a in i.call.args) else 1.0 for i in node.aggregates)


@dataclass(slots=True)
class _Early:
    """The partial results of one side, whose columns are `inside`."""

    context: Context
    inside: Ids
    outside: Ids
    may_be_missing: bool
    """Whether the other side's rows without a partner are kept."""
    never_null: Ids
    """Columns of this side that hold no NULL before the join: counting them is counting rows."""
    partial: list[AggregateItem] = field(default_factory=list)
    counts: dict[ColumnId, Field] = field(default_factory=dict)
    """Counts that come out as sums, by the ids of those: to be made integers again."""

    def keys(self, node: Aggregate, condition: Expression) -> tuple[Column, ...] | None:
        """What the grouping and the join read of this side; None where a key reads both sides."""
        read = set(columns_of(condition) & self.inside)
        for group in node.groups:
            of = columns_of(group.expression)
            if of & self.inside and of & self.outside:
                return None
            read |= of & self.inside
        found = {c.id: c for e in (*(g.expression for g in node.groups), condition) for c in _columns(e) if c.id in read}
        return tuple(found.values())

    def item(self, item: AggregateItem) -> AggregateItem | None:
        """The aggregate over partial results, under the same id; None where it cannot be."""
        call = item.call
        if call.distinct or call.filter is not None or call.order:
            return None
        if self.may_be_missing and not (call.args and all(isinstance(arg, Column) for arg in call.args)):
            return None
        if call.function in ("count", "count_star"):
            return self._count(item) if all(columns_of(arg) <= self.inside for arg in call.args) else None
        if call.function not in ("sum", "min", "max") or len(call.args) != 1:
            return None
        (argument,) = call.args
        made = self._argument(argument, call.function)
        outer = None if made is None else bind_aggregate(call.function, (made,))
        return AggregateItem(item.field, outer) if outer is not None and outer.type == item.field.type else None

    def _count(self, item: AggregateItem) -> AggregateItem:
        outer = bind_aggregate("sum", (self._partial(item.call),))
        total = Field(self.context.ids.fresh(), item.field.name, outer.type)
        self.counts[item.field.id] = total
        return AggregateItem(total, outer)

    def _argument(self, argument: Expression, function: str) -> Expression | None:
        """What the outer aggregate reads: a partial result, or a CASE of the other side that picks it."""
        read = columns_of(argument)
        if read and read <= self.inside:
            return self._partial(bind_aggregate(function, (argument,)))
        if isinstance(argument, Case) and function == "sum":
            return self._picked(argument)
        return None

    def _picked(self, case: Case) -> Expression | None:
        """`CASE WHEN d = 1 THEN x END` with d of the other side: constant over the rows of a partial sum."""
        values = [w.value for w in case.whens] + ([] if case.otherwise is None else [case.otherwise])
        read = {v: columns_of(v) for v in values}
        summed = [v for v in values if read[v]]
        if any(not columns_of(w.condition) <= self.outside for w in case.whens) or not summed:
            return None
        if any(v != summed[0] for v in summed) or not read[summed[0]] <= self.inside:
            return None
        if not all(read[v] or _adds_nothing(v) for v in values):
            return None
        total = self._partial(bind_aggregate("sum", (summed[0],)))

        def value(part: Expression) -> Expression:
            return total if read[part] else _nothing(part, total.type)

        whens = tuple(When(w.condition, value(w.value)) for w in case.whens)
        return Case(whens, None if case.otherwise is None else value(case.otherwise), total.type)

    def _partial(self, call: AggregateCall) -> Column:
        if call.function == "count" and not call.distinct and not any(may_be_null(arg, self.never_null) for arg in call.args):
            call = replace(call, function="count_star", args=())
        known = next((i for i in self.partial if i.call == call), None)
        if known is None:
            known = AggregateItem(Field(self.context.ids.fresh(), f"early {call.function}", call.type), call)
            self.partial.append(known)
        return known.field.column()

    def finished(self, node: Aggregate, items: list[AggregateItem]) -> Relation:
        """The outer grouping with these aggregates, under the fields of `node`."""
        grouped = replace(node, aggregates=tuple(items))
        if not self.counts:
            return grouped
        made = []
        for f in node.fields:
            total = self.counts.get(f.id)
            made.append(passes(f.column()) if total is None else Item(f, self._counted(total, f)))
        return Project(grouped, tuple(made))

    def _counted(self, total: Field, f: Field) -> Expression:
        count = Cast(total.column(), f.type)
        return Call("coalesce", (count, Literal(pa.scalar(0, f.type))), f.type) if self.may_be_missing else count


def _columns(expression: Expression) -> list[Column]:
    return [part for part in walk(expression) if isinstance(part, Column)]


def _adds_nothing(value: Expression) -> bool:
    while isinstance(value, Cast):
        value = value.operand
    return isinstance(value, Literal) and (value.is_null or value.value.as_py() == 0)


def _nothing(value: Expression, kind: pa.DataType) -> Literal:
    while isinstance(value, Cast):
        value = value.operand
    null = isinstance(value, Literal) and value.is_null
    return Literal(pa.scalar(None if null else Decimal(0), kind))

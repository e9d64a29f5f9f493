"""Rule: whether a row's group has another value, asked several times of one table, is asked of the group's extremes.

`EXISTS (SELECT ... WHERE t.k = o.k AND t.x <> o.x)`, several times for parts of one table, reads it once for each. There is
another value exactly where the least or the greatest is another. Handed a query whose filters are pushed down; hands on one in
which the rows that ask are a shared relation, and the table is read once, for their keys only, and grouped. What always holds:
what is NULL is no other value, and of a group without rows there is none; it is expected to cost less than the readings.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Column, Expression, Field, columns_of, conjunction, conjuncts, substitute
from flightmesh.expression.properties import is_volatile
from flightmesh.expression.registry import bind_aggregate
from flightmesh.ids import ColumnId, SharedId
from flightmesh.logical.expressions import call_expressions, with_fresh_ids
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Definition,
    Join,
    JoinKind,
    Relation,
    Scan,
    With,
    passes,
)
from flightmesh.logical.traversal import inputs, rebuilt, walk
from flightmesh.optimize.booleans import FALSE
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import estimate
from flightmesh.optimize.fragile import is_fragile
from flightmesh.optimize.join_graph import MEMBERSHIP, is_region
from flightmesh.optimize.order_of_fields import in_order
from flightmesh.optimize.push_filters import guarded
from flightmesh.optimize.sharing import Sharing, read_as
from flightmesh.optimize.work import JOIN, KEPT, work

LEAST_RATIO = 4.0
"""Rows of the table for each row that asks, at least: else grouping the table is most of the work."""


def exists_to_extremes(relation: Relation, context: Context) -> Relation:
    """The query with such questions asked together."""
    if sum(isinstance(node, Join) and node.kind in MEMBERSHIP for node in walk(relation)) < 2:
        return relation
    sharing = Sharing.of(relation, context)
    if not isinstance(relation, With):
        body = _look(relation, sharing, False)
        return relation if body is relation else sharing.finish(in_order(body, relation.fields))
    for old in relation.definitions:
        changed = in_order(_look(old.relation, sharing, False), old.relation.fields)
        sharing.definitions.append(old if changed is old.relation else Definition(old.id, old.name, changed))
    body = _look(relation.body, sharing, False)
    if body is relation.body and all(a is b for a, b in zip(sharing.definitions, relation.definitions, strict=False)):
        return relation
    return sharing.finish(in_order(body, relation.body.fields))


def _look(node: Relation, sharing: Sharing, inside: bool) -> Relation:
    is_part = is_region(node)
    if is_part and not inside:
        changed = _region(node, sharing)
        if changed is not None:
            return changed
    old = inputs(node)
    return rebuilt(node, tuple(_look(part, sharing, is_part) for part in old)) if old else node


@dataclass(frozen=True, slots=True)
class _Question:
    """A SEMI or ANTI join that asks a table for other values in the row's group, in the columns of either."""

    join: Join
    table: Scan
    key: Column
    value: Column
    outer_key: Column
    outer_value: Column

    def asks_like(self, other: _Question) -> bool:
        """Whether both ask of the same columns of one table and of the same row's."""
        same = self.table.table is other.table.table or self.table.table == other.table.table
        names = (self.key.name, self.value.name) == (other.key.name, other.value.name)
        return same and names and (self.outer_key, self.outer_value) == (other.outer_key, other.outer_value)


def _question(node: Relation) -> _Question | None:
    if not isinstance(node, Join) or node.kind not in MEMBERSHIP:
        return None
    table, parts = node.right, conjuncts(node.condition)
    if not isinstance(table, Scan) or table.limit is not None or len(parts) != 2:
        return None
    if any(is_volatile(part) or is_fragile(part) for part in table.filters):
        return None
    inside = frozenset(f.id for f in table.fields)
    found: dict[str, tuple[Column, Column]] = {}
    for part in parts:
        pair = _sides(part, inside)
        if pair is not None and isinstance(part, Call):
            found[part.function] = pair
    if found.keys() != {"equal", "not_equal"}:
        return None
    (key, outer_key), (value, outer_value) = found["equal"], found["not_equal"]
    kinds = (key.type, value.type)
    if any(pa.types.is_floating(k) or pa.types.is_interval(k) or pa.types.is_nested(k) for k in kinds):
        return None
    return _Question(node, table, key, value, outer_key, outer_value)


def _sides(part: Expression, inside: frozenset[ColumnId]) -> tuple[Column, Column] | None:
    """The two columns that a conjunct compares, the table's first."""
    if not isinstance(part, Call) or part.function not in ("equal", "not_equal"):
        return None
    a, b = part.args
    if not isinstance(a, Column) or not isinstance(b, Column) or (a.id in inside) is (b.id in inside):
        return None
    return (a, b) if a.id in inside else (b, a)


def _region(root: Relation, sharing: Sharing) -> Relation | None:
    """The region with the questions to one table asked together; None where there are not several, or it does not pay."""
    asked = [q for q in map(_question, _members(root)) if q is not None]
    for first in asked:
        alike = [q for q in asked if q.asks_like(first)]
        # Without an EXISTS among them, rows that have no group would have to stay.
        if len(alike) > 1 and any(q.join.kind is JoinKind.SEMI for q in alike):
            return _together(root, alike, sharing)
    return None


def _members(node: Relation) -> list[Relation]:
    """The joins of the region that starts here."""
    if not isinstance(node, Join) or not is_region(node):
        return []
    right = _members(node.right) if node.kind is JoinKind.INNER else []
    return [node, *_members(node.left), *right]


def _without(node: Relation, gone: tuple[Join, ...]) -> Relation:
    """The region without these SEMI and ANTI joins."""
    if not isinstance(node, Join) or not is_region(node):
        return node
    left = _without(node.left, gone)
    if any(node is other for other in gone):
        return left
    return rebuilt(node, (left, _without(node.right, gone) if node.kind is JoinKind.INNER else node.right))


def _together(root: Relation, questions: list[_Question], sharing: Sharing) -> Relation | None:
    context = sharing.context
    asking = _without(root, tuple(q.join for q in questions))
    outer_key, outer_value = questions[0].outer_key, questions[0].outer_value
    by_id = {f.id: f for f in asking.fields}
    if outer_key.id not in by_id or outer_value.id not in by_id:
        return None
    rows = estimate(asking, context).rows
    if rows * LEAST_RATIO > max(estimate(q.table, context).rows for q in questions):
        return None
    copy, names = with_fresh_ids(asking, context.ids)
    grouped, condition = _grouped(questions, context)
    before = sum(work(q.table, context) + JOIN * estimate(q.table, context).rows for q in questions)
    key = Field(context.ids.fresh(), outer_key.name, outer_key.type, by_id[outer_key.id].nullable)
    definition = Definition(SharedId(sharing.next_id), f"part {sharing.next_id}", copy)
    context.shared[definition.id] = copy
    reader = read_as(definition, (key,), {key.id: names[outer_key.id]})
    match = Call("equal", (questions[0].key, key.column()), pa.bool_())
    few = Aggregate(Join(grouped.input, reader, JoinKind.SEMI, match), grouped.groups, grouped.aggregates)
    after = work(few, context) + JOIN * estimate(few, context).rows + KEPT * rows * 2
    if after >= before:
        return None
    sharing.definitions.append(definition)
    sharing.next_id += 1
    tie = Call("equal", (questions[0].key, outer_key), pa.bool_())
    whole = read_as(definition, asking.fields, names)
    return in_order(Join(whole, few, JoinKind.INNER, conjunction((tie, *condition))), root.fields)


def _grouped(questions: list[_Question], context: Context) -> tuple[Aggregate, list[Expression]]:
    """The table's groups with the least and the greatest value of each question's rows, and what the questions ask of those."""
    first = questions[0]
    own: dict[str, Field] = {}
    each: list[tuple[Expression, ...]] = []
    for q in questions:
        read = (*q.table.fields, *q.table.filter_only)
        columns: dict[ColumnId, Expression] = {f.id: own.setdefault(f.name, f).column() for f in read}
        each.append(tuple(substitute(part, columns) for part in q.table.filters))
    common = tuple(part for part in each[0] if all(part in other for other in each[1:]))
    aggregates: list[AggregateItem] = []

    def extreme(function: str, kept: Expression | None) -> Column:
        call = replace(bind_aggregate(function, (first.value,)), filter=kept)
        known = next((item for item in aggregates if item.call == call), None)
        if known is None:
            known = AggregateItem(Field(context.ids.fresh(), f"{function}({first.value.name})", call.type), call)
            aggregates.append(known)
        return known.field.column()

    condition: list[Expression] = []
    for q, filters in zip(questions, each, strict=True):
        kept = conjunction(guarded(tuple(part for part in filters if part not in common)))
        ends = [Call("not_equal", (extreme(name, kept), first.outer_value), pa.bool_()) for name in ("min", "max")]
        other: Expression = Call("or", tuple(ends), pa.bool_())
        if q.join.kind is JoinKind.ANTI:
            other = Call("not", (Call("coalesce", (other, FALSE), pa.bool_()),), pa.bool_())
        condition.append(other)
    below = {c for part in common for c in columns_of(part)}
    shown = {first.key.id, first.value.id} | {c for a in aggregates for e in call_expressions(a.call) for c in columns_of(e)}
    fields = tuple(f for f in own.values() if f.id in shown)
    scan = Scan(first.table.table, fields, common, tuple(f for f in own.values() if f.id in below - shown))
    return Aggregate(scan, (passes(first.key),), tuple(aggregates)), condition

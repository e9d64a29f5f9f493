"""Plans groupings: two phases around a hash exchange, averages taken apart into sums and counts, distinct aggregates by
re-partitioning.

Forms, from cheap to dear: all aggregates splittable -> PARTIAL, exchange, FINAL; one distinct argument -> group by (keys,
argument)
first, then the same; several distinct arguments, or an aggregate that cannot be split -> raw rows exchanged, one FINAL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import pyarrow as pa

from flightmesh.expression.nodes import (
    AggregateCall,
    Case,
    Cast,
    Column,
    Expression,
    Field,
    Literal,
    When,
    columns_of,
)
from flightmesh.expression.registry import bind_call
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Aggregate, AggregateItem, Item, Relation, passes
from flightmesh.physical.operators import GroupBy, GroupPhase, Measure, Operator, ProjectColumns
from flightmesh.physical.planned import Planned, Planning, narrow, pass_item, place_by

PlanInput: TypeAlias = Callable[[Relation, frozenset[ColumnId], Planning], Planned]

MERGED_BY = {
    "sum": "sum",
    "count": "sum_count",
    "count_star": "sum_count",
    "sum_count": "sum_count",
    "min": "min",
    "max": "max",
    "any_value": "any_value",
    "bool_and": "bool_and",
    "bool_or": "bool_or",
}
"""Primitive aggregates and how their partial results are merged."""

DUPLICATE_BLIND = ("min", "max", "any_value", "bool_and", "bool_or")
"""Aggregates for which DISTINCT changes nothing."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What a measure reads: a column of the grouping's input, NULL where the aggregate's FILTER is not true."""

    call: AggregateCall
    result: Field
    column: Column | None


def plan_aggregate(aggregate: Aggregate, required: frozenset[ColumnId], planning: Planning, plan: PlanInput) -> Planned:
    """The grouping as one or more GroupBys, with a projection on top where results are computed from parts."""
    calls = tuple(a for a in aggregate.aggregates if a.field.id in required)
    if not aggregate.groups and not calls:
        calls = aggregate.aggregates[:1]
    child, keys, arguments = _inputs(aggregate, calls, planning, plan)
    rows = planning.estimate(aggregate).rows
    parts = _Parts(planning)
    distinct = {a.column for a in arguments if a.call.distinct and a.column is not None}
    splittable = all(a.call.function in MERGED_BY or a.call.function == "avg" for a in arguments)
    if splittable and not distinct:
        measures = parts.measures(arguments)
        grouped = two_phase(child, keys, measures, rows, planning)
    elif splittable and len(distinct) == 1:
        grouped = _one_distinct(child, keys, arguments, next(iter(distinct)), parts, rows, planning)
    else:
        measures = parts.measures(arguments)
        placed = place_by(child, tuple(k.column() for k in keys), planning)
        grouped = replace(placed, operator=GroupBy(placed.operator, GroupPhase.FINAL, keys, measures, rows), rows=rows)
    return _finish(aggregate, keys, parts, grouped, required)


def two_phase(
    child: Planned, keys: tuple[Field, ...], measures: tuple[Measure, ...], rows: float, planning: Planning
) -> Planned:
    """PARTIAL in every task, rows with equal keys brought together, FINAL. One FINAL where they are together already."""
    key_columns = tuple(k.column() for k in keys)
    if child.placed_by(k.id for k in keys):
        return replace(child, operator=GroupBy(child.operator, GroupPhase.FINAL, keys, measures, rows), rows=rows)
    partial = _partial(child, keys, measures, rows, planning)
    moved = place_by(partial, key_columns, planning)
    return replace(moved, operator=GroupBy(moved.operator, GroupPhase.FINAL, keys, merged(measures), rows), rows=rows)


def _partial(
    child: Planned, keys: tuple[Field, ...], measures: tuple[Measure, ...], groups: float, planning: Planning
) -> Planned:
    """A PARTIAL in every task: each group comes once a task at most."""
    most = groups * planning.config.tasks
    rows = most if child.rows is None else min(child.rows, most)
    return replace(child, operator=GroupBy(child.operator, GroupPhase.PARTIAL, keys, measures, rows), rows=rows)


def merged(measures: tuple[Measure, ...]) -> tuple[Measure, ...]:
    """The measures that merge the partial results of `measures`, under the same ids."""
    return tuple(Measure(m.field, MERGED_BY[m.function], m.field.column()) for m in measures)


def _inputs(
    aggregate: Aggregate, calls: tuple[AggregateItem, ...], planning: Planning, plan: PlanInput
) -> tuple[Planned, tuple[Field, ...], tuple[Argument, ...]]:
    """The input with group keys and arguments as plain columns, each computed once."""
    expressions = [_argument(item.call) for item in calls]
    read = frozenset[ColumnId]().union(
        *(columns_of(g.expression) for g in aggregate.groups), *(columns_of(e) for e in expressions if e is not None)
    )
    child = plan(aggregate.input, read, planning)
    items: list[Item] = []
    for group in aggregate.groups:
        items.append(Item(group.field, group.expression))
    known: dict[Expression, Column] = {g.expression: g.field.column() for g in aggregate.groups}
    arguments: list[Argument] = []
    for item, expression in zip(calls, expressions, strict=True):
        if expression is not None and expression not in known:
            passed = isinstance(expression, Column) and expression.id not in {i.field.id for i in items}
            new = passes(expression) if passed and isinstance(expression, Column) else None  # keeps its id
            name = f"argument of {item.field.name}"
            new = new or Item(planning.fresh(name, expression.type), expression)
            items.append(new)
            known[expression] = new.field.column()
        arguments.append(Argument(item.call, item.field, None if expression is None else known[expression]))
    hashed = _renamed(child.hashed, items)
    operator = _projected(child.operator, items, planning)
    return replace(child, operator=operator, hashed=hashed), tuple(g.field for g in aggregate.groups), tuple(arguments)


def _projected(operator: Operator, items: list[Item], planning: Planning) -> Operator:
    if all(isinstance(i.expression, Column) and i.expression.id == i.field.id for i in items):
        return narrow(operator, tuple(i.field for i in items), planning) if items else operator
    return ProjectColumns(operator, tuple(items))


def _renamed(hashed: tuple[ColumnId, ...] | None, items: list[Item]) -> tuple[ColumnId, ...] | None:
    passed = {i.expression.id: i.field.id for i in items if isinstance(i.expression, Column)}
    if hashed is None or not all(c in passed for c in hashed):
        return None
    return tuple(passed[c] for c in hashed)


def _argument(call: AggregateCall) -> Expression | None:
    """What the measure reads: the argument, NULL where FILTER is not true; None for an unfiltered count(*)."""
    value: Expression | None = call.args[0] if call.args else None
    if call.filter is None:
        return value
    value = value if value is not None else Literal(pa.scalar(True))
    return Case((When(call.filter, value),), None, value.type)


class _Parts:
    """The measures that results are made of, and the expression that makes each result of them."""

    def __init__(self, planning: Planning) -> None:
        self._planning = planning
        self._measures: dict[tuple[str, Column | None, bool], Measure] = {}
        self.results: list[Item] = []

    def measures(self, arguments: tuple[Argument, ...]) -> tuple[Measure, ...]:
        """The measures for these arguments; equal ones are computed once."""
        for argument in arguments:
            self.results.append(Item(argument.result, self.result(argument, argument.column, argument.call.distinct)))
        return tuple(self._measures.values())

    def result(self, argument: Argument, column: Column | None, distinct: bool) -> Expression:
        """The expression over measures that gives an aggregate's result."""
        call = argument.call
        distinct = distinct and call.function not in DUPLICATE_BLIND
        if call.function != "avg":
            function = "count" if call.function == "count_star" and column is not None else call.function
            return self._measure(function, column, call.type, distinct)
        total = self._measure("sum", column, sum_type(call.args[0].type), distinct)
        count = self._measure("count", column, pa.int64(), distinct)
        return bind_call("divide", (_as_double(total), _as_double(count)))  # over no values the sum is NULL, and so is this

    def _measure(self, function: str, column: Column | None, kind: pa.DataType, distinct: bool) -> Column:
        key = (function, column, distinct)
        if key not in self._measures:
            name = f"{function}({column.name})" if column is not None else function
            self._measures[key] = Measure(self._planning.fresh(name, kind), function, column, distinct)
        return self._measures[key].field.column()


def sum_type(argument: pa.DataType) -> pa.DataType:
    """The type in which a sum is kept: double for floats, decimal(38, s) for the exact types."""
    if pa.types.is_floating(argument):
        return pa.float64()
    return pa.decimal128(38, argument.scale if pa.types.is_decimal(argument) else 0)


def _as_double(expression: Expression) -> Expression:
    return expression if pa.types.is_float64(expression.type) else Cast(expression, pa.float64())


def _one_distinct(
    child: Planned,
    keys: tuple[Field, ...],
    arguments: tuple[Argument, ...],
    distinct: Column,
    parts: _Parts,
    rows: float,
    planning: Planning,
) -> Planned:
    """Groups by (keys, argument) first: then each group has the argument once, and the plain measures are partial results."""
    plain = tuple(a for a in arguments if not (a.call.distinct and a.call.function not in DUPLICATE_BLIND))
    first = parts.measures(plain)
    field = next(f for f in child.operator.fields if f.id == distinct.id)
    inner_keys = keys if field.id in {k.id for k in keys} else (*keys, field)
    inner = two_phase(child, inner_keys, first, child.rows or rows, planning)
    over = _Parts(planning)
    rest = tuple(a for a in arguments if a not in plain)
    outer = (*merged(first), *over.measures(tuple(replace(a, call=replace(a.call, distinct=False)) for a in rest)))
    parts.results.extend(over.results)
    key_columns = tuple(k.column() for k in keys)
    if inner.placed_by(k.id for k in keys):
        return replace(inner, operator=GroupBy(inner.operator, GroupPhase.FINAL, keys, outer, rows), rows=rows)
    moved = place_by(_partial(inner, keys, outer, rows, planning), key_columns, planning)
    return replace(moved, operator=GroupBy(moved.operator, GroupPhase.FINAL, keys, merged(outer), rows), rows=rows)


def _finish(
    aggregate: Aggregate, keys: tuple[Field, ...], parts: _Parts, grouped: Planned, required: frozenset[ColumnId]
) -> Planned:
    """The results under the fields that the query gave them."""
    items = [*(pass_item(k) for k in keys if k.id in required), *parts.results]
    if not items:
        items = [pass_item(k) for k in keys[:1]]
    same = [f.id for f in grouped.operator.fields] == [i.field.id for i in items]
    if same and all(isinstance(i.expression, Column) and i.expression.id == i.field.id for i in items):
        return grouped
    kept = {i.field.id for i in items}
    hashed = grouped.hashed if grouped.hashed is not None and set(grouped.hashed) <= kept else None
    return replace(grouped, operator=ProjectColumns(grouped.operator, tuple(items)), hashed=hashed)

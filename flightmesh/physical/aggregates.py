"""Plans groupings: two phases around a hash exchange, averages taken apart into sums and counts, distinct aggregates by
re-partitioning.

Forms, from cheap to dear: all aggregates splittable -> PARTIAL, exchange, FINAL; one distinct argument -> group by (keys,
argument)
first, then the same; grouping sets over splittable aggregates -> PARTIAL by all keys, its rows copied for each set, then the
same over those; several distinct arguments, or an aggregate that cannot be split -> raw rows exchanged, one FINAL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from flightmesh.expression.nodes import AggregateCall, Column, Expression, Field, columns_of
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Aggregate, AggregateItem, Expand, Item, Relation, passes
from flightmesh.physical.aggregate_results import Parts
from flightmesh.physical.grouping_sets import expanded, finest
from flightmesh.physical.measures import DUPLICATE_BLIND, Argument, argument_expressions, is_mergeable, merged, rows_condition
from flightmesh.physical.operators import ColumnOrder, GroupBy, GroupPhase, Measure, Operator, ProjectColumns
from flightmesh.physical.placement import Needs, Value, needs, renamed, sought, value_of
from flightmesh.physical.planned import Planned, Planning, narrow, pass_item, place_by, reads_shared

PlanInput: TypeAlias = Callable[[Relation, frozenset[ColumnId], Planning], Planned]


def plan_aggregate(aggregate: Aggregate, required: frozenset[ColumnId], planning: Planning, plan: PlanInput) -> Planned:
    """The grouping as one or more GroupBys, with a projection on top where results are computed from parts."""
    above = planning.take_wanted()
    deal = planning.dealt_by(tuple(g.field.column() for g in aggregate.groups), above, aggregate)
    calls = tuple(a for a in aggregate.aggregates if a.field.id in required)
    if not aggregate.groups and not calls:
        calls = aggregate.aggregates[:1]
    if isinstance(aggregate.input, Expand) and all(_is_splittable(a.call) for a in calls):
        below = finest(replace(aggregate, aggregates=calls), aggregate.input, planning)
        if below is not None:
            return _by_sets(aggregate, aggregate.input, below, deal, required, planning, plan)
    planning.wanted = _needs(aggregate, above)
    child, keys, arguments = _inputs(aggregate, calls, planning, plan)
    rows = planning.estimate(aggregate).rows
    parts = Parts(planning)
    distinct = {a.columns for a in arguments if a.call.distinct and a.call.function not in DUPLICATE_BLIND}
    splittable = all(is_mergeable(a.call) for a in arguments)
    if splittable and not distinct:
        measures = parts.measures(arguments)
        grouped = two_phase(child, keys, deal, measures, rows, planning)
    elif splittable and len(distinct) == 1:
        grouped = _one_distinct(child, keys, deal, arguments, next(iter(distinct)), parts, rows, planning)
    else:
        measures = parts.measures(arguments)
        placed = child if child.placed_by(k.id for k in keys) else place_by(child, deal, planning)
        grouped = replace(placed, operator=GroupBy(placed.operator, GroupPhase.FINAL, keys, measures, rows), rows=rows)
    return _finish(aggregate, keys, parts, grouped, required)


def _needs(aggregate: Aggregate, above: Needs) -> Needs:
    """What this grouping and the readers above it need together, in values of the input."""
    values = {g.field.id: value_of(g.expression) for g in aggregate.groups}
    sources: dict[Value, Value] = {name: value for name, value in values.items() if value is not None}
    return needs(list(dict.fromkeys(sources.values())), sought(above, sources))


def _is_splittable(call: AggregateCall) -> bool:
    plain = not call.distinct or call.function in DUPLICATE_BLIND
    return plain and is_mergeable(call)


def _by_sets(
    aggregate: Aggregate,
    expand: Expand,
    below: Aggregate,
    deal: tuple[Column, ...],
    required: frozenset[ColumnId],
    planning: Planning,
    plan: PlanInput,
) -> Planned:
    """Groups by all keys in every task first: only those partial results are copied for each set, and merged."""
    child, keys, arguments = _inputs(below, below.aggregates, planning, plan)
    parts = Parts(planning)
    measures = parts.measures(arguments)
    first = _partial(child, keys, measures, planning.estimate(below).rows, planning)
    sources = tuple(key.column() for key in keys[len(keys) - len(expand.keys) :])
    groups = tuple(g.field for g in aggregate.groups)
    copies = expanded(first, expand, sources, (*groups, *(m.field for m in measures)), None)
    grouped = two_phase(copies, groups, deal, merged(measures), planning.estimate(aggregate).rows, planning)
    return _finish(aggregate, groups, parts, grouped, required)


def two_phase(
    child: Planned,
    keys: tuple[Field, ...],
    deal: tuple[Column, ...],
    measures: tuple[Measure, ...],
    rows: float,
    planning: Planning,
) -> Planned:
    """PARTIAL in every task, rows with equal keys brought together (by `deal`, some of them), FINAL. One FINAL where they are
    together already."""
    if reads_shared(child) and rows >= planning.least_groups():
        child = place_by(child, deal, planning)
    if child.placed_by(k.id for k in keys):
        return replace(child, operator=GroupBy(child.operator, GroupPhase.FINAL, keys, measures, rows), rows=rows)
    partial = _partial(child, keys, measures, rows, planning)
    moved = place_by(partial, deal, planning)
    return replace(moved, operator=GroupBy(moved.operator, GroupPhase.FINAL, keys, merged(measures), rows), rows=rows)


def _partial(
    child: Planned, keys: tuple[Field, ...], measures: tuple[Measure, ...], groups: float, planning: Planning
) -> Planned:
    """A PARTIAL in every task: each group comes once a task at most."""
    most = groups * planning.config.tasks
    rows = most if child.rows is None else min(child.rows, most)
    return replace(child, operator=GroupBy(child.operator, GroupPhase.PARTIAL, keys, measures, rows), rows=rows)


def _inputs(
    aggregate: Aggregate, calls: tuple[AggregateItem, ...], planning: Planning, plan: PlanInput
) -> tuple[Planned, tuple[Field, ...], tuple[Argument, ...]]:
    """The input with group keys and arguments as plain columns, each computed once."""
    reads = [argument_expressions(item.call) for item in calls]
    kept = [rows_condition(item.call) for item in calls]
    wanted = [(i.field.name, e) for i, parts in zip(calls, reads, strict=True) for e in parts]
    wanted += [(i.field.name, e) for i, e in zip(calls, kept, strict=True) if e is not None]
    wanted += [(i.field.name, key.expression) for i in calls for key in i.call.order]
    read = frozenset[ColumnId]().union(
        *(columns_of(g.expression) for g in aggregate.groups), *(columns_of(e) for _, e in wanted)
    )
    child = plan(aggregate.input, read, planning)
    items: list[Item] = []
    for group in aggregate.groups:
        items.append(Item(group.field, group.expression))
    known: dict[Expression, Column] = {g.expression: g.field.column() for g in aggregate.groups}
    for name, expression in wanted:
        if expression not in known:
            passed = isinstance(expression, Column) and expression.id not in {i.field.id for i in items}
            new = passes(expression) if passed and isinstance(expression, Column) else None  # keeps its id
            new = new or Item(planning.fresh(f"argument of {name}", expression.type), expression)
            items.append(new)
            known[expression] = new.field.column()
    arguments = tuple(
        Argument(
            item.call,
            item.field,
            tuple(known[e] for e in parts),
            None if condition is None else known[condition],
            tuple(ColumnOrder(known[key.expression], key.descending, key.nulls_first) for key in item.call.order),
        )
        for item, parts, condition in zip(calls, reads, kept, strict=True)
    )
    hashed = renamed(child.hashed, ((item.field.id, item.expression) for item in items))
    operator = _projected(child.operator, items, planning)
    return replace(child, operator=operator, hashed=hashed), tuple(g.field for g in aggregate.groups), arguments


def _projected(operator: Operator, items: list[Item], planning: Planning) -> Operator:
    if all(isinstance(i.expression, Column) and i.expression.id == i.field.id for i in items):
        return narrow(operator, tuple(i.field for i in items), planning) if items else operator
    return ProjectColumns(operator, tuple(items))


def _one_distinct(
    child: Planned,
    keys: tuple[Field, ...],
    deal: tuple[Column, ...],
    arguments: tuple[Argument, ...],
    distinct: tuple[Column, ...],
    parts: Parts,
    rows: float,
    planning: Planning,
) -> Planned:
    """Groups by (keys, arguments) first: then each group has the argument once, and the plain measures are partial results."""
    plain = tuple(a for a in arguments if not (a.call.distinct and a.call.function not in DUPLICATE_BLIND))
    first = parts.measures(plain)
    known = {f.id: f for f in child.operator.fields}
    more = tuple(dict.fromkeys(column.id for column in distinct if column.id not in {k.id for k in keys}))
    inner_keys = (*keys, *(known[id] for id in more))
    # Dealt by the outer keys, if they have values enough, the inner groups need not be dealt again.
    enough = bool(keys) and rows >= planning.least_groups()
    by = deal if enough else tuple(k.column() for k in inner_keys)
    inner = two_phase(child, inner_keys, by, first, child.rows or rows, planning)
    over = Parts(planning)
    rest = tuple(a for a in arguments if a not in plain)
    outer = (*merged(first), *over.measures(tuple(replace(a, call=replace(a.call, distinct=False)) for a in rest)))
    parts.results.extend(over.results)
    if inner.placed_by(k.id for k in keys):
        return replace(inner, operator=GroupBy(inner.operator, GroupPhase.FINAL, keys, outer, rows), rows=rows)
    moved = place_by(_partial(inner, keys, outer, rows, planning), deal, planning)
    return replace(moved, operator=GroupBy(moved.operator, GroupPhase.FINAL, keys, merged(outer), rows), rows=rows)


def _finish(
    aggregate: Aggregate, keys: tuple[Field, ...], parts: Parts, grouped: Planned, required: frozenset[ColumnId]
) -> Planned:
    """The results under the fields that the query gave them."""
    items = [*(pass_item(k) for k in keys if k.id in required), *parts.results]
    if not items:
        items = [pass_item(k) for k in keys[:1]]
    same = [f.id for f in grouped.operator.fields] == [i.field.id for i in items]
    if same and all(isinstance(i.expression, Column) and i.expression.id == i.field.id for i in items):
        return grouped
    return replace(grouped, operator=ProjectColumns(grouped.operator, tuple(items)))

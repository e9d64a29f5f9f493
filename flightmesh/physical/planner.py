"""Logical relation in, physical operators out: picks operators and partitionings and puts in the exchanges.

Handed an optimized relation (no Apply, UNION only as ALL); hands on an operator tree whose root is an `Exchange` to the client.
What always holds: an operator that needs rows together (a grouping, a window, a sort, a join) finds them in one task.
"""

from __future__ import annotations

from typing import assert_never

from flightmesh.config import Config
from flightmesh.errors import InternalError, UnsupportedFeature
from flightmesh.expression.nodes import columns_of
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import (
    Aggregate,
    Apply,
    Expand,
    Filter,
    Item,
    Join,
    Limit,
    Project,
    Quantifier,
    Recursion,
    Reference,
    Relation,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
    With,
    Working,
)
from flightmesh.optimize.context import Context
from flightmesh.physical.aggregates import plan_aggregate
from flightmesh.physical.first_ranks import first_ranks
from flightmesh.physical.grouping_sets import plan_expand
from flightmesh.physical.joins import plan_join
from flightmesh.physical.one_task import is_at_hand, is_few
from flightmesh.physical.operators import (
    Exchange,
    FilterRows,
    Operator,
    ProjectColumns,
    TableScan,
    UnionRows,
    ValuesRows,
    WorkingRows,
)
from flightmesh.physical.partitioning import RoundRobin, Single
from flightmesh.physical.placement import Needs, Places, renamed, sought, united, value_of
from flightmesh.physical.planned import Planned, Planning, narrow, spread
from flightmesh.physical.recursion import plan_recursion
from flightmesh.physical.sorting import plan_limit, plan_sort
from flightmesh.physical.unnests import plan_unnest
from flightmesh.physical.windows import plan_window


def plan_physical(relation: Relation, context: Context, config: Config) -> Exchange:
    """The operators that compute `relation`; its root deals the rows, in the relation's column order, to the client's one
    bucket."""
    planning = Planning(context, config)
    body = relation
    if isinstance(relation, With):
        for definition in relation.definitions:
            every = frozenset(f.id for f in definition.relation.fields)
            planned = plan(definition.relation, every, planning)
            operator = narrow(planned.operator, definition.relation.fields, planning)
            planning.shared[definition.id] = Planned(operator, planned.single, planned.hashed, planned.rows)
        body = relation.body
    planned = plan(body, frozenset(f.id for f in body.fields), planning)
    operator = narrow(planned.operator, body.fields, planning)
    return Exchange(operator, Single(), fields=operator.fields, estimate=planned.rows, one_task=planned.single)


def plan(relation: Relation, required: frozenset[ColumnId], planning: Planning) -> Planned:
    """The operators of a relation, giving at least the `required` columns."""
    wanted = planning.take_wanted()
    match relation:
        case Scan():
            return _plan_scan(relation, planning)
        case Values():
            rows = float(relation.rows.num_rows)
            return Planned(ValuesRows(relation.fields, relation.rows), True, None, rows)
        case Filter():
            read = required | columns_of(relation.predicate)
            planning.wanted = wanted
            if isinstance(relation.input, Window):
                child = plan_window(relation.input, read, planning, plan, first_ranks(relation.input, relation.predicate))
            else:
                child = plan(relation.input, read, planning)
            rows = planning.estimate(relation).rows
            return Planned(FilterRows(child.operator, relation.predicate, rows), child.single, child.hashed, rows)
        case Project():
            return _plan_project(relation, required, wanted, planning)
        case Join():
            planning.wanted = wanted
            return plan_join(relation, required, planning, plan)
        case Aggregate():
            planning.wanted = wanted
            return plan_aggregate(relation, required, planning, plan)
        case Window():
            planning.wanted = wanted
            return plan_window(relation, required, planning, plan)
        case Expand():
            return plan_expand(relation, required, planning, plan)
        case Unnest():
            planning.wanted = wanted
            return plan_unnest(relation, required, planning, plan)
        case Sort():
            return plan_sort(relation, required, planning, plan)
        case Limit():
            return plan_limit(relation, required, planning, plan)
        case SetOperation():
            return _plan_union(relation, wanted, planning)
        case Reference():
            return _plan_reference(relation, planning)
        case Recursion():
            return plan_recursion(relation, planning, plan)
        case Working():
            return Planned(WorkingRows(relation.id, relation.name, relation.fields, relation.places), True, None, None)
        case Apply() | With():
            raise InternalError(f"the optimizer left a {type(relation).__name__} where the planner takes none")
        case _:
            assert_never(relation)


def _plan_scan(scan: Scan, planning: Planning) -> Planned:
    rows = planning.estimate(scan).rows
    columns = (*scan.fields, *(f for f in scan.filter_only if f.id not in {g.id for g in scan.fields}))
    operator = TableScan(scan.table, 0, columns, scan.filters, scan.fields, scan.limit, rows)
    return Planned(operator, is_at_hand(scan.table, planning.config), None, rows)


def _plan_project(project: Project, required: frozenset[ColumnId], wanted: Needs, planning: Planning) -> Planned:
    items = tuple(item for item in project.items if item.field.id in required) or project.items[:1]
    read = frozenset[ColumnId]().union(*(columns_of(item.expression) for item in items)) if items else frozenset()
    values = {item.field.id: value_of(item.expression) for item in items}
    planning.wanted = sought(wanted, {name: value for name, value in values.items() if value is not None})
    child = plan(project.input, read, planning)
    if not items:
        return child
    hashed = renamed(child.hashed, ((item.field.id, item.expression) for item in items))
    return Planned(ProjectColumns(child.operator, items), child.single, hashed, child.rows)


def _plan_union(union: SetOperation, wanted: Needs, planning: Planning) -> Planned:
    if union.kind is not SetKind.UNION or union.quantifier is not Quantifier.ALL:
        raise UnsupportedFeature(f"{union.kind.value} {union.quantifier.value} is not supported yet")
    parts: list[Planned] = []
    for relation in union.inputs:
        planning.wanted = sought(wanted, {f.id: own.id for f, own in zip(union.fields, relation.fields, strict=True)})
        parts.append(plan(relation, frozenset(f.id for f in relation.fields), planning))
    rows = planning.estimate(union).rows
    every_single = all(part.single for part in parts)
    operators: list[Operator] = []
    hashed: list[Places | None] = []
    for part, logical in zip(parts, union.inputs, strict=True):
        placed = part if every_single else spread(part, planning)
        items = tuple(Item(target, source.column()) for target, source in zip(union.fields, logical.fields, strict=True))
        operators.append(ProjectColumns(placed.operator, items) if items else placed.operator)
        hashed.append(renamed(placed.hashed, ((item.field.id, item.expression) for item in items)))
    return Planned(UnionRows(tuple(operators), union.fields), every_single, united(hashed), rows)


def _plan_reference(reference: Reference, planning: Planning) -> Planned:
    source = planning.shared[reference.shared]
    by_id = {f.id: f for f in source.operator.fields}
    single = source.single or is_few(source.rows, planning.config)
    partitioning = Single() if single else RoundRobin(planning.config.tasks)
    made = Exchange(
        source.operator,
        partitioning,
        shared=int(reference.shared),
        fields=source.operator.fields,
        estimate=source.rows,
        one_task=source.single,
    )
    if not reference.fields:
        return Planned(made, single, None, source.rows)
    items = tuple(
        Item(field, by_id[wanted].column()) for field, wanted in zip(reference.fields, reference.sources, strict=True)
    )
    return Planned(ProjectColumns(made, items), single, None, source.rows)

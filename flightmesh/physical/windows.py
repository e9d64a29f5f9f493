"""Plans windows: rows of one partition brought into one task, which sorts them once and computes all functions.

Handed a Window; hands on operators. What always holds: partition, order and arguments are plain columns, and where the rows
are placed by the partition already (a window below, a grouping) nothing is exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import pyarrow as pa

from flightmesh.expression.nodes import Cast, Column, Expression, columns_of
from flightmesh.expression.registry import bind_call
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Item, Relation, Window, WindowItem
from flightmesh.logical.traversal import expressions
from flightmesh.physical.aggregate_results import sum_type
from flightmesh.physical.operators import ColumnOrder, Operator, ProjectColumns, WindowFunction, WindowRows
from flightmesh.physical.planned import Planned, Planning, as_columns, narrow, pass_item, place_by

PlanInput: TypeAlias = Callable[[Relation, frozenset[ColumnId], Planning], Planned]

SAME_AS = {"bool_and": "min", "bool_or": "max"}


def plan_window(window: Window, required: frozenset[ColumnId], planning: Planning, plan: PlanInput) -> Planned:
    """The window functions that are required, over rows that are together."""
    items = tuple(item for item in window.items if item.field.id in required) or window.items[:1]
    read = frozenset[ColumnId]().union(*(columns_of(e) for e in expressions(window)))
    made = frozenset(item.field.id for item in window.items)
    child = plan(window.input, (required - made) | read, planning)
    keep = tuple(f for f in child.operator.fields if f.id in required)
    computed = (*window.partition, *(k.expression for k in window.order), *(a for item in items for a in item.call.args))
    operator, columns = as_columns(child.operator, computed, ("window",) * len(computed), keep, planning)
    wanted = {f.id for f in keep} | {c.id for c in columns}
    operator = narrow(operator, tuple(f for f in operator.fields if f.id in wanted), planning)
    partition = columns[: len(window.partition)]
    keys = columns[len(partition) : len(partition) + len(window.order)]
    order = tuple(ColumnOrder(c, k.descending, k.nulls_first) for c, k in zip(keys, window.order, strict=True))
    placed = place_by(_still_hashed(child, wanted, operator), partition, planning)
    parts = _Parts(planning)
    rest = iter(columns[len(partition) + len(order) :])
    results = [parts.result(item, tuple(next(rest) for _ in item.call.args)) for item in items]
    rows = WindowRows(placed.operator, partition, order, tuple(parts.functions))
    shown = (*(pass_item(f) for f in keep), *results)
    if [item.field.id for item in shown] == [f.id for f in rows.fields]:
        return replace(placed, operator=rows)
    return _still_hashed(placed, {item.field.id for item in shown}, ProjectColumns(rows, shown))


def _still_hashed(planned: Planned, kept: set[ColumnId], operator: Operator) -> Planned:
    hashed = planned.hashed if planned.hashed is not None and set(planned.hashed) <= kept else None
    return replace(planned, operator=operator, hashed=hashed)


@dataclass(slots=True)
class _Parts:
    """The functions that results are made of: an average is a sum and a count."""

    planning: Planning
    functions: list[WindowFunction] = field(default_factory=list)

    def result(self, item: WindowItem, arguments: tuple[Column, ...]) -> Item:
        """The item that gives a call's result."""
        call = item.call
        if call.function != "avg":
            function = SAME_AS.get(call.function, call.function)
            self.functions.append(WindowFunction(item.field, function, arguments, call.frame, item.keys))
            return pass_item(item.field)
        total = self._part("sum", sum_type(call.args[0].type), item, arguments)
        count = self._part("count", pa.int64(), item, arguments)
        return Item(item.field, bind_call("divide", (_as_double(total), _as_double(count))))

    def _part(self, function: str, kind: pa.DataType, item: WindowItem, arguments: tuple[Column, ...]) -> Column:
        made = self.planning.fresh(f"{function} of {item.field.name}", kind)
        self.functions.append(WindowFunction(made, function, arguments, item.call.frame, item.keys))
        return made.column()


def _as_double(expression: Expression) -> Expression:
    return expression if pa.types.is_float64(expression.type) else Cast(expression, pa.float64())

"""Plans ORDER BY and LIMIT: each task sorts (or keeps the top of) its rows, one task merges."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from flightmesh.expression.nodes import Column, SortKey, columns_of
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Limit, Relation, Sort
from flightmesh.physical.operators import ColumnOrder, LimitRows, Operator, SortRows, TopRows
from flightmesh.physical.planned import Planned, Planning, as_columns, gather, narrow
from flightmesh.physical.top_scans import wanting_first

PlanInput: TypeAlias = Callable[[Relation, frozenset[ColumnId], Planning], Planned]

TOP_ROWS_LIMIT = 100_000
"""Up to so many rows a task keeps a top-k instead of sorting everything."""


def plan_sort(sort: Sort, required: frozenset[ColumnId], planning: Planning, plan: PlanInput) -> Planned:
    """Every task sorts its rows; one merges them."""
    child, keys = _sortable(sort, required, planning, plan)
    made = _with_operator(child, SortRows(child.operator, keys))
    return gather(made, planning, keys)


def plan_limit(limit: Limit, required: frozenset[ColumnId], planning: Planning, plan: PlanInput) -> Planned:
    """Over a sort: a top-k in every task, merged and cut. Else each task stops at enough rows, and one cuts."""
    rows = planning.estimate(limit).rows
    enough = None if limit.count is None else limit.count + limit.offset
    if isinstance(limit.input, Sort):
        child, keys = _sortable(limit.input, required, planning, plan)
        first: Operator = (
            TopRows(wanting_first(child.operator, keys[0]), keys, enough)
            if enough is not None and enough <= TOP_ROWS_LIMIT
            else SortRows(child.operator, keys)
        )
        gathered = gather(_with_operator(child, first), planning, keys)
    else:
        child = plan(limit.input, required, planning)
        if not child.single and enough is not None:
            child = _with_operator(child, LimitRows(child.operator, enough))
        gathered = gather(child, planning)
    return Planned(LimitRows(gathered.operator, limit.count, limit.offset), True, None, rows)


def _sortable(
    sort: Sort, required: frozenset[ColumnId], planning: Planning, plan: PlanInput
) -> tuple[Planned, tuple[ColumnOrder, ...]]:
    """The sort's input with each key as a plain column, and nothing that is read neither here nor above."""
    read = frozenset[ColumnId]().union(*(columns_of(k.expression) for k in sort.keys))
    child = plan(sort.input, required | read, planning)
    keep = tuple(f for f in child.operator.fields if f.id in required)
    expressions = tuple(k.expression for k in sort.keys)
    operator, columns = as_columns(child.operator, expressions, ("order",) * len(expressions), keep, planning)
    wanted = required | {c.id for c in columns}
    operator = narrow(operator, tuple(f for f in operator.fields if f.id in wanted), planning)
    orders = tuple(_order(column, k) for column, k in zip(columns, sort.keys, strict=True))
    return _with_operator(child, operator), orders


def _order(column: Column, key: SortKey) -> ColumnOrder:
    return ColumnOrder(column, key.descending, key.nulls_first)


def _with_operator(planned: Planned, operator: Operator) -> Planned:
    return Planned(operator, planned.single, planned.hashed, planned.rows)

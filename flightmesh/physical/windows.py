"""Plans windows: rows of one partition brought into one task, which sorts them once and computes all functions.

Handed a Window; hands on operators. What always holds: partition, order and arguments are plain columns, and where the rows
are placed by the partition already (a window below, a grouping) nothing is exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from flightmesh.expression.nodes import columns_of
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Relation, Window
from flightmesh.logical.traversal import expressions
from flightmesh.physical.first_ranks import FirstRanks
from flightmesh.physical.operators import ColumnOrder, ProjectColumns, TopOfGroups, WindowRows
from flightmesh.physical.placement import needs, renamed, value_of
from flightmesh.physical.planned import Planned, Planning, as_columns, narrow, pass_item, place_by, reads_shared
from flightmesh.physical.window_parts import WindowParts, parts_read

PlanInput: TypeAlias = Callable[[Relation, frozenset[ColumnId], Planning], Planned]


def plan_window(
    window: Window, required: frozenset[ColumnId], planning: Planning, plan: PlanInput, first: FirstRanks | None = None
) -> Planned:
    """The window functions that are required, over rows that are together. `first`: which rows are read of the result; of
    others each task drops what it can before rows are exchanged and sorted."""
    items = tuple(item for item in window.items if item.field.id in required) or window.items[:1]
    read = frozenset[ColumnId]().union(*(columns_of(e) for e in expressions(window)))
    above = planning.take_wanted()
    planning.wanted = needs([value for value in map(value_of, window.partition) if value is not None], above)
    child = plan(window.input, (required - frozenset(item.field.id for item in window.items)) | read, planning)
    keep = tuple(f for f in child.operator.fields if f.id in required)
    computed = (*window.partition, *(k.expression for k in window.order), *(e for item in items for e in parts_read(item.call)))
    operator, columns = as_columns(child.operator, computed, ("window",) * len(computed), keep, planning)
    wanted = {f.id for f in keep} | {c.id for c in columns}
    operator = narrow(operator, tuple(f for f in operator.fields if f.id in wanted), planning)
    partition = columns[: len(window.partition)]
    keys = columns[len(partition) : len(partition) + len(window.order)]
    order = tuple(ColumnOrder(c, k.descending, k.nulls_first) for c, k in zip(keys, window.order, strict=True))
    if first is not None and not reads_shared(replace(child, operator=operator)):
        operator = TopOfGroups(operator, partition, order, first.ranking, first.count)
    hashed = renamed(child.hashed, ((c.id, e) for c, e in zip(partition, window.partition, strict=True)))
    placed = replace(child, operator=operator, hashed=hashed)
    if not placed.placed_by(c.id for c in partition):
        placed = place_by(placed, planning.dealt_by(partition, above, window.input), planning)
    rest = iter(columns[len(partition) + len(order) :])
    made = WindowParts(planning)
    results = [made.result(item, tuple(next(rest) for _ in parts_read(item.call))) for item in items]
    rows = WindowRows(placed.operator, partition, order, made.read_by(results))
    shown = (*(pass_item(f) for f in keep), *results)
    if [item.field.id for item in shown] == [f.id for f in rows.fields]:
        return replace(placed, operator=rows)
    return replace(placed, operator=ProjectColumns(rows, shown))

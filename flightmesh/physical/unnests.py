"""Plans Unnest: every task unnests its own rows, where they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from flightmesh.expression.nodes import columns_of
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Relation, Unnest
from flightmesh.physical.operators import UnnestRows
from flightmesh.physical.placement import sought
from flightmesh.physical.planned import Planned, Planning

PlanInput: TypeAlias = Callable[[Relation, frozenset[ColumnId], Planning], Planned]


def plan_unnest(node: Unnest, required: frozenset[ColumnId], planning: Planning, plan: PlanInput) -> Planned:
    """The rows with the required columns; rows of equal keys stay together."""
    wanted = frozenset(f.id for f in node.input.fields) & required
    read = frozenset[ColumnId]().union(*(columns_of(item.expression) for item in node.lists))
    planning.wanted = sought(planning.take_wanted(), {f.id: f.id for f in node.input.fields})
    child = plan(node.input, wanted | read, planning)
    kept = tuple(f for f in child.operator.fields if f.id in wanted)
    made = tuple(f for f in node.made if f.id in required)
    fields = (*kept, *made) or node.made[:1]
    operator = UnnestRows(child.operator, node.lists, node.kind, node.ordinal, fields)
    return replace(child, operator=operator, rows=planning.estimate(node).rows)

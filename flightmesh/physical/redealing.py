"""A shared relation dealt as its reader needs it, by the stage that computes it.

A reader of a shared relation gets its rows in turn, from an edge of its own. Where all that it does is to filter or project
them before they are dealt anew (by a join's keys, a grouping's), that edge is dealt so in the first place: rows move once.
Handed a planned reader and how its rows are to be dealt; hands on a reader of an edge dealt so, or None where it is not one.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.expression.nodes import Column
from flightmesh.ids import ColumnId
from flightmesh.physical.operators import Exchange, FilterRows, Operator, ProjectColumns
from flightmesh.physical.partitioning import Broadcast, Hash, Partitioning


def redealt(operator: Operator, partitioning: Partitioning, moves_by_reference: bool) -> Operator | None:
    """The reader with its edge dealt by `partitioning`, which names columns of `operator`."""
    steps, node = _taken_apart(operator)
    if not isinstance(node, Exchange) or node.shared is None or node.order:
        return None
    if isinstance(partitioning, Broadcast) and not moves_by_reference:
        return None  # every worker would be sent what the reader filters out
    below = _below(partitioning, steps)
    if below is None:
        return None
    made: Operator = replace(node, partitioning=below)
    for step in reversed(steps):
        made = replace(step, input=made)
    return made


def is_reader(operator: Operator) -> bool:
    """Whether the operator does nothing but filter and project what it reads of a shared relation."""
    _, node = _taken_apart(operator)
    return isinstance(node, Exchange) and node.shared is not None and not node.order


def _taken_apart(operator: Operator) -> tuple[list[ProjectColumns | FilterRows], Operator]:
    steps: list[ProjectColumns | FilterRows] = []
    while isinstance(operator, ProjectColumns | FilterRows):
        steps.append(operator)
        operator = operator.input
    return steps, operator


def _below(partitioning: Partitioning, steps: list[ProjectColumns | FilterRows]) -> Partitioning | None:
    """The partitioning in the columns of the shared relation."""
    if not isinstance(partitioning, Hash):
        return partitioning
    keys = partitioning.keys
    for step in steps:
        if isinstance(step, FilterRows):
            continue
        sources: dict[ColumnId, Column] = {
            item.field.id: item.expression for item in step.items if isinstance(item.expression, Column)
        }
        if any(key.id not in sources for key in keys):
            return None
        keys = tuple(sources[key.id] for key in keys)
    return replace(partitioning, keys=keys)

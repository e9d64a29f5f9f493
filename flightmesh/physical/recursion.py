"""Plans WITH RECURSIVE: the turns are taken by one operator in one task; what every turn reads alike is made elsewhere, once.

A turn is too small a thing for a job: handing out stages costs milliseconds, a turn over a thousand rows well under one. So the
recursive part has no exchange that depends on the turn (the rows are in the one task as it is), and every part of it that does
not depend on the turn is a stage of its own, in as many tasks as it deserves, whose rows this task reads once and keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from flightmesh.expression.nodes import Field
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Recursion, Relation
from flightmesh.physical.operators import (
    BuildSide,
    Exchange,
    HashJoin,
    IterateRows,
    Operator,
    ReadExchange,
    ValuesRows,
    WorkingRows,
    operator_inputs,
    with_operator_inputs,
)
from flightmesh.physical.partitioning import Single
from flightmesh.physical.planned import Planned, Planning, gather, narrow

PlanInput: TypeAlias = Callable[[Relation, frozenset[ColumnId], Planning], Planned]


def plan_recursion(node: Recursion, planning: Planning, plan: PlanInput) -> Planned:
    """The turns as one IterateRows."""
    seed = gather(_columns(node.seed, node.seed_columns, planning, plan), planning).operator
    step = _columns(node.step, node.step_columns, planning, plan).operator
    rows = planning.estimate(node).rows
    turns = planning.config.planner.recursion_turns
    made = IterateRows(seed, _in_place(step, planning), node.id, node.name, node.quantifier, node.fields, turns, rows)
    return Planned(made, True, None, rows)


def _columns(part: Relation, columns: tuple[ColumnId, ...], planning: Planning, plan: PlanInput) -> Planned:
    by_id: dict[ColumnId, Field] = {f.id: f for f in part.fields}
    planned = plan(part, frozenset(columns), planning)
    return replace(planned, operator=narrow(planned.operator, tuple(by_id[c] for c in columns), planning))


def _in_place(node: Operator, planning: Planning) -> Operator:
    """The operators of a turn without exchanges among themselves; parts that are the same in every turn behind one."""
    if not _turns(node):
        if isinstance(node, Exchange | ValuesRows):
            return node
        kept = node if node.fields else narrow(node, (), planning)
        return Exchange(kept, Single(), fields=kept.fields, estimate=getattr(node, "estimate", None))
    if isinstance(node, Exchange):
        return _in_place(node.input, planning)
    if isinstance(node, HashJoin):
        node = replace(node, side=BuildSide.OWN)
    return with_operator_inputs(node, tuple(_in_place(part, planning) for part in operator_inputs(node)))


def _turns(node: Operator) -> bool:
    """Whether an operator's rows may differ from turn to turn: a working table is read below that is not its own."""
    return bool(turning(node))


def turning(node: Operator) -> frozenset[int]:
    """The recursions whose working tables are read below an operator, and not made there."""
    if isinstance(node, WorkingRows):
        return frozenset({int(node.id)})
    read = frozenset[int]().union(*(turning(part) for part in operator_inputs(node)))
    return read - {int(node.id)} if isinstance(node, IterateRows) else read


def is_kept(node: Operator) -> bool:
    """Whether an operator of a turn gives the same rows in every turn."""
    return isinstance(node, ReadExchange | ValuesRows) and not turning(node)

"""The rows that the planner expected of an operator, beside those that came.

Handed operators of a stage; hands on estimates, and in words how far one was off. What always holds: what may be less for
another reason (a LIMIT that ended its producers, a dynamic filter of a join further up) is not called too many.
"""

from __future__ import annotations

from flightmesh.physical.operators import (
    HashJoin,
    LimitRows,
    Operator,
    ProjectColumns,
    SortRows,
    TableScan,
    TopRows,
    UnionRows,
    ValuesRows,
    WindowRows,
    operator_inputs,
)
from flightmesh.stage.graph import StageGraph

FAR_OFF = 10
"""An estimate that is off by more than this factor is said to be."""


def estimated_rows(node: Operator) -> float | None:
    """The planner's estimate; of an operator that has none of its own what follows from its inputs'."""
    own: float | None = getattr(node, "estimate", None)
    if own is not None:
        return own
    below = [estimated_rows(part) for part in operator_inputs(node)]
    match node:
        case ValuesRows():
            return float(node.rows.num_rows)
        case ProjectColumns() | SortRows() | WindowRows():
            return below[0]
        case TopRows() | LimitRows() if below[0] is not None:
            return below[0] if node.count is None else min(float(node.count), below[0])
        case UnionRows():
            known = [rows for rows in below if rows is not None]
            return sum(known) if len(known) == len(below) else None
        case _:
            return None


def off(estimate: float, rows: int, may_be_fewer: bool) -> str:
    """`, 12 times too few`, where the estimate was off by more than FAR_OFF; else nothing."""
    expected, came = max(1.0, estimate), max(1.0, float(rows))
    if came > FAR_OFF * expected:
        return f", {came / expected:,.0f} times too few"
    if expected > FAR_OFF * came and not may_be_fewer:
        return f", {expected / came:,.0f} times too many"
    return ""


def ends_early(graph: StageGraph) -> bool:
    """Whether a LIMIT may have ended operators before they had given all."""
    return any(_has_limit(stage.root) for stage in graph.stages)


def is_filtered_from_above(node: Operator) -> bool:
    """Whether a scan in or below an operator applies a dynamic filter of a join that is not."""
    return bool(_applied(node) - _made(node))


def _has_limit(node: Operator) -> bool:
    return (isinstance(node, LimitRows) and node.count is not None) or any(_has_limit(part) for part in operator_inputs(node))


def _applied(node: Operator) -> set[int]:
    own = {keys.number for keys in node.dynamic} if isinstance(node, TableScan) else set()
    return own.union(*(_applied(part) for part in operator_inputs(node)))


def _made(node: Operator) -> set[int]:
    own = {keys.number for keys in node.dynamic} if isinstance(node, HashJoin) else set()
    return own.union(*(_made(part) for part in operator_inputs(node)))

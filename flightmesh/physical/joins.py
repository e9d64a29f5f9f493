"""Plans joins: finds the equalities that become hash keys, puts the build on the right side, and has the sides brought
together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from flightmesh.expression.nodes import Column, Expression, columns_of
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Join, JoinKind, Relation
from flightmesh.physical.dynamic_filters import with_dynamic_filters
from flightmesh.physical.join_condition import split_condition, three_valued
from flightmesh.physical.join_placement import build_needs, meet, probe_needs
from flightmesh.physical.operators import BuildSide, Exchange, HashJoin, KeyPair
from flightmesh.physical.partitioning import Broadcast
from flightmesh.physical.planned import Planned, Planning, as_columns, exchange, narrow
from flightmesh.physical.reduction import kept_by_reducing, partnered, reduced

PlanInput: TypeAlias = Callable[[Relation, frozenset[ColumnId], Planning], Planned]


def plan_join(join: Join, required: frozenset[ColumnId], planning: Planning, plan: PlanInput) -> Planned:
    """The join as a HashJoin. RIGHT becomes LEFT with the sides swapped; without equalities every pair is compared."""
    wanted = planning.take_wanted()
    if join.kind is JoinKind.RIGHT:
        swapped = replace(join, left=join.right, right=join.left, kind=JoinKind.LEFT)
        planning.wanted = wanted
        return plan_join(swapped, required, planning, plan)
    condition = three_valued(join.kind, split_condition(join))
    above = required | (columns_of(condition.residual) if condition.residual is not None else frozenset())
    inside = above.union(*(columns_of(e.source) for e in condition.equalities))
    planning.wanted = probe_needs(join, condition, wanted, planning)
    probe, probe_keys = _with_keys(plan(join.left, inside, planning), [e.left for e in condition.equalities], above, planning)
    planning.wanted = build_needs(join, condition, wanted, probe, planning)
    build, build_keys = _with_keys(plan(join.right, inside, planning), [e.right for e in condition.equalities], above, planning)
    keys = tuple(KeyPair(p, b, e.null_safe) for p, b, e in zip(probe_keys, build_keys, condition.equalities, strict=True))
    kept = kept_by_reducing(join, condition, planning)
    if kept is not None:
        probe, build = reduced(probe, build, keys, kept, planning)
    share = partnered(join.left, join.right, join.condition, planning)
    met = meet(join, condition, keys, (probe, build), wanted, share, planning)
    rows = planning.estimate(join).rows
    # With nothing required a column that the probe side still has keeps the rows countable: the join's first may be gone.
    fields = tuple(f for f in join.fields if f.id in required) or met.probe.operator.fields[:1]
    operator = HashJoin(
        met.probe.operator,
        met.build.operator,
        join.kind,
        keys,
        condition.residual,
        met.side,
        fields,
        join.mark,
        condition.null_aware,
        rows,
        at=join.at,
    )
    operator = _with_filters(operator, share, met.build, planning)
    return Planned(operator, met.probe.single, met.hashed, rows)


def _with_filters(join: HashJoin, share: float, build: Planned, planning: Planning) -> HashJoin:
    """The join with its dynamic filters. A build that is made in the join's own task tells no other stage its keys; where scans
    of others could use them, it is a stage of its own."""
    if join.side is BuildSide.OWN and build.single and not isinstance(join.build, Exchange):
        apart = replace(join, build=exchange(build, Broadcast(), planning).operator, side=BuildSide.SHARED)
        before = planning.filters
        told = with_dynamic_filters(apart, share, planning)
        if isinstance(told.build, Exchange) and told.build.filters:
            return told
        planning.filters = before
    return with_dynamic_filters(join, share, planning)


def _with_keys(
    planned: Planned, keys: list[Expression], above: frozenset[ColumnId], planning: Planning
) -> tuple[Planned, tuple[Column, ...]]:
    """Keys as plain columns, beside the columns that the join reads or gives."""
    keep = tuple(f for f in planned.operator.fields if f.id in above)
    operator, columns = as_columns(planned.operator, tuple(keys), ("key",) * len(keys), keep, planning)
    wanted = above | {c.id for c in columns}
    return replace(planned, operator=narrow(operator, tuple(f for f in operator.fields if f.id in wanted), planning)), columns

"""Plans joins: finds the equalities that become hash keys, puts the build on the right side, and decides who exchanges what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from flightmesh.expression.nodes import Call, Column, Expression, columns_of, conjunction, conjuncts
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Join, JoinKind, Relation
from flightmesh.physical.operators import BuildSide, HashJoin, KeyPair
from flightmesh.physical.partitioning import Broadcast, Hash
from flightmesh.physical.planned import Planned, Planning, as_columns, exchange, gather, narrow, required_fields

PlanInput: TypeAlias = Callable[[Relation, frozenset[ColumnId], Planning], Planned]


@dataclass(frozen=True, slots=True)
class Equality:
    """One conjunct `left = right` of a join condition; `source` is the conjunct itself."""

    left: Expression
    right: Expression
    null_safe: bool
    source: Expression

    @property
    def certain(self) -> bool:
        """Whether comparing is never unknown."""
        return self.null_safe or not (_nullable(self.left) or _nullable(self.right))


@dataclass(frozen=True, slots=True)
class Condition:
    """A join condition taken apart."""

    equalities: tuple[Equality, ...]
    residual: Expression | None
    null_aware: bool = False


def plan_join(join: Join, required: frozenset[ColumnId], planning: Planning, plan: PlanInput) -> Planned:
    """The join as a HashJoin. RIGHT becomes LEFT with the sides swapped; without equalities every pair is compared."""
    if join.kind is JoinKind.RIGHT:
        swapped = replace(join, left=join.right, right=join.left, kind=JoinKind.LEFT)
        return plan_join(swapped, required, planning, plan)
    condition = three_valued(join.kind, split_condition(join))
    above = required | (columns_of(condition.residual) if condition.residual is not None else frozenset())
    inside = above.union(*(columns_of(e.source) for e in condition.equalities))
    probe, probe_keys = _with_keys(plan(join.left, inside, planning), [e.left for e in condition.equalities], above, planning)
    build, build_keys = _with_keys(plan(join.right, inside, planning), [e.right for e in condition.equalities], above, planning)
    keys = tuple(KeyPair(p, b, e.null_safe) for p, b, e in zip(probe_keys, build_keys, condition.equalities, strict=True))
    side, probe, build = _place(join, condition, probe, build, keys, planning)
    rows = planning.estimate(join).rows
    fields = required_fields(join.fields, required)
    operator = HashJoin(
        probe.operator, build.operator, join.kind, keys, condition.residual, side, fields, join.mark, condition.null_aware, rows
    )
    return Planned(operator, probe.single, None if join.kind is JoinKind.FULL else probe.hashed, rows)


def split_condition(join: Join) -> Condition:
    """The equalities between the two sides, and what remains."""
    left = frozenset(f.id for f in join.left.fields)
    right = frozenset(f.id for f in join.right.fields)
    equalities: list[Equality] = []
    rest: list[Expression] = []
    for part in conjuncts(join.condition):
        found = _equality(part, left, right)
        if found is None:
            rest.append(part)
        else:
            equalities.append(found)
    return Condition(tuple(equalities), conjunction(tuple(rest)))


def _equality(part: Expression, left: frozenset[ColumnId], right: frozenset[ColumnId]) -> Equality | None:
    if not isinstance(part, Call) or part.function not in ("equal", "is_not_distinct_from"):
        return None
    first, second = part.args
    if first.type != second.type:
        return None
    null_safe = part.function == "is_not_distinct_from"
    of_first, of_second = columns_of(first), columns_of(second)
    if not of_first or not of_second:
        return None
    if of_first <= left and of_second <= right:
        return Equality(first, second, null_safe, part)
    if of_first <= right and of_second <= left:
        return Equality(second, first, null_safe, part)
    return None


def three_valued(kind: JoinKind, condition: Condition) -> Condition:
    """For MARK: an equality that may be unknown, alone, is the kernel's null-aware key; beside others it joins the residual,
    which a MARK join reads three-valued over the pairs that the certain keys match."""
    unsure = tuple(e for e in condition.equalities if not e.certain)
    if kind is not JoinKind.MARK or not unsure:
        return condition
    if len(condition.equalities) == 1 and condition.residual is None:
        return replace(condition, null_aware=True)
    sure = tuple(e for e in condition.equalities if e.certain)
    return Condition(sure, conjunction((*(e.source for e in unsure), *conjuncts(condition.residual))))


def _nullable(expression: Expression) -> bool:
    return expression.nullable if isinstance(expression, Column) else True


def _with_keys(
    planned: Planned, keys: list[Expression], above: frozenset[ColumnId], planning: Planning
) -> tuple[Planned, tuple[Column, ...]]:
    """Keys as plain columns, beside the columns that the join reads or gives."""
    keep = tuple(f for f in planned.operator.fields if f.id in above)
    operator, columns = as_columns(planned.operator, tuple(keys), ("key",) * len(keys), keep, planning)
    wanted = above | {c.id for c in columns}
    return replace(planned, operator=narrow(operator, tuple(f for f in operator.fields if f.id in wanted), planning)), columns


def _place(
    join: Join, condition: Condition, probe: Planned, build: Planned, keys: tuple[KeyPair, ...], planning: Planning
) -> tuple[BuildSide, Planned, Planned]:
    if probe.single and build.single:
        return BuildSide.OWN, probe, build
    keeps_build = join.kind is JoinKind.FULL
    whole = not keys or condition.null_aware  # a NULL key, or the build being empty, matters to every probe row
    if not keeps_build and (whole or probe.single or _shares(join, planning)):
        return BuildSide.SHARED, probe, exchange(build, Broadcast(), planning)
    if not keys:
        return BuildSide.OWN, gather(probe, planning), gather(build, planning)
    probe_keys = tuple(k.probe for k in keys)
    build_keys = tuple(k.build for k in keys)
    return BuildSide.OWN, _dealt(probe, probe_keys, planning), _dealt(build, build_keys, planning)


def _dealt(planned: Planned, keys: tuple[Column, ...], planning: Planning) -> Planned:
    """Dealt by exactly these keys: the two sides must agree on every key and its place in the hash."""
    if planned.hashed == tuple(k.id for k in keys):
        return planned
    return exchange(planned, Hash(keys, planning.buckets()), planning)


def _shares(join: Join, planning: Planning) -> bool:
    if planning.config.planner.share_builds:
        return True
    size = planning.estimate(join.right)
    return size.rows * size.row_bytes <= planning.config.planner.broadcast_bytes

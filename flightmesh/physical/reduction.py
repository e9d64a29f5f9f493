"""Semi-join reduction: a build side much larger than its probe side is first cut down to the rows whose keys the probe side
has.

Only for joins that keep probe rows and cannot swap sides (SEMI, ANTI, LEFT, SINGLE, MARK): building a table of millions of
rows to probe
it with thousands costs more than streaming the millions past a table of the thousands (Bernstein and Chiu, "Using Semi-Joins to
Solve Relational Queries", JACM 1981). The probe side is computed once and read twice.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.expression.nodes import Expression, conjuncts
from flightmesh.logical.relations import Join, JoinKind, Relation
from flightmesh.optimize.join_estimate import matched_share
from flightmesh.physical.dynamic_filters import with_dynamic_filters
from flightmesh.physical.join_condition import Condition
from flightmesh.physical.one_task import is_few
from flightmesh.physical.operators import BuildSide, Exchange, HashJoin, KeyPair
from flightmesh.physical.partitioning import Broadcast, Partitioning, RoundRobin, Single
from flightmesh.physical.planned import Planned, Planning

LEAST_BUILD_ROWS = 100_000
LEAST_RATIO = 4.0
MOST_KEPT = 0.8
"""A build of which more than this share has partners is not worth another pass."""
REDUCIBLE = (JoinKind.SEMI, JoinKind.ANTI, JoinKind.LEFT, JoinKind.SINGLE, JoinKind.MARK)


def kept_by_reducing(join: Join, condition: Condition, planning: Planning) -> float | None:
    """The share of the build's rows that a reduction is expected to keep; None where it is not worth another pass: the build is
    estimated to be small, or not much larger than the probe side, or most of it would stay."""
    if join.kind not in REDUCIBLE or not condition.equalities or condition.null_aware:
        return None
    build = planning.estimate(join.right).rows
    if build < LEAST_BUILD_ROWS or build < LEAST_RATIO * planning.estimate(join.left).rows:
        return None
    share = partnered(join.right, join.left, join.condition, planning)
    return share if share <= MOST_KEPT else None


def partnered(rows: Relation, others: Relation, condition: Expression | None, planning: Planning) -> float:
    """The share of `rows` that are expected to have a partner among `others`."""
    own, other = planning.estimate(rows), planning.estimate(others)
    return matched_share(conjuncts(condition), own.columns, other.columns)


def reduced(
    probe: Planned, build: Planned, keys: tuple[KeyPair, ...], share: float, planning: Planning
) -> tuple[Planned, Planned]:
    """The probe side, read from an exchange, and the build side cut down to the probe side's keys, a `share` of it."""
    number = planning.fresh_shared()

    def read(partitioning: Partitioning) -> Exchange:
        operator = probe.operator
        return Exchange(
            operator, partitioning, shared=number, fields=operator.fields, estimate=probe.rows, one_task=probe.single
        )

    turned = tuple(KeyPair(k.build, k.probe, k.null_safe) for k in keys)
    fields = build.operator.fields
    semi = HashJoin(
        build.operator, read(Broadcast()), JoinKind.SEMI, turned, None, BuildSide.SHARED, fields, estimate=build.rows
    )
    semi = with_dynamic_filters(semi, share, planning)
    single = probe.single or is_few(probe.rows, planning.config)
    first = read(Single() if single else RoundRobin(planning.config.tasks))
    return replace(probe, operator=first, single=single, hashed=None), replace(build, operator=semi)

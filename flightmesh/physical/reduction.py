"""Semi-join reduction: a build side much larger than its probe side is first cut down to the rows whose keys the probe side
has.

Only for joins that keep probe rows and cannot swap sides (SEMI, ANTI, LEFT, SINGLE, MARK): building a table of millions of
rows to probe
it with thousands costs more than streaming the millions past a table of the thousands (Bernstein and Chiu, "Using Semi-Joins to
Solve Relational Queries", JACM 1981). The probe side is computed once and read twice.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.logical.relations import Join, JoinKind
from flightmesh.physical.join_condition import Condition
from flightmesh.physical.one_task import is_few
from flightmesh.physical.operators import BuildSide, Exchange, HashJoin, KeyPair
from flightmesh.physical.partitioning import Broadcast, Partitioning, RoundRobin, Single
from flightmesh.physical.planned import Planned, Planning

LEAST_BUILD_ROWS = 100_000
LEAST_RATIO = 4.0
REDUCIBLE = (JoinKind.SEMI, JoinKind.ANTI, JoinKind.LEFT, JoinKind.SINGLE, JoinKind.MARK)


def worth_reducing(join: Join, condition: Condition, planning: Planning) -> bool:
    """Whether the build is estimated to be large, and several times larger than the probe side."""
    if join.kind not in REDUCIBLE or not condition.equalities or condition.null_aware:
        return False
    build = planning.estimate(join.right).rows
    return build >= LEAST_BUILD_ROWS and build >= LEAST_RATIO * planning.estimate(join.left).rows


def reduced(probe: Planned, build: Planned, keys: tuple[KeyPair, ...], planning: Planning) -> tuple[Planned, Planned]:
    """The probe side, read from an exchange, and the build side cut down to the probe side's keys."""
    number = planning.fresh_shared()

    def read(partitioning: Partitioning) -> Exchange:
        operator = probe.operator
        return Exchange(operator, partitioning, shared=number, fields=operator.fields, estimate=probe.rows)

    turned = tuple(KeyPair(k.build, k.probe, k.null_safe) for k in keys)
    fields = build.operator.fields
    semi = HashJoin(
        build.operator, read(Broadcast()), JoinKind.SEMI, turned, None, BuildSide.SHARED, fields, estimate=build.rows
    )
    single = probe.single or is_few(probe.rows, planning.config)
    first = read(Single() if single else RoundRobin(planning.config.tasks))
    return replace(probe, operator=first, single=single, hashed=None), replace(build, operator=semi)

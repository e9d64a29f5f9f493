"""What the driver tells workers of each edge of a graph: how many tasks write it, how many read it, how often an entry is
read."""

from __future__ import annotations

from collections.abc import Iterator

from flightmesh.config import MIB
from flightmesh.ids import EdgeId
from flightmesh.physical.operators import BuildSide, HashJoin, Operator, ReadExchange, operator_inputs
from flightmesh.physical.partitioning import Broadcast
from flightmesh.protocol.messages import EdgePlan
from flightmesh.stage.graph import StageGraph

RESULT_CREDIT = 64 * MIB
"""Bytes of a result that lie ready for a client that reads slowly; the tasks that make it then wait, without a slot."""


def edge_plans(graph: StageGraph) -> dict[EdgeId, EdgePlan]:
    """A plan for every edge of the graph. The client's edge has one consumer."""
    stages = {stage.id: stage for stage in graph.stages}
    shared = {edge for stage in graph.stages for edge in _read_by_shared_builds(stage.root)}
    plans = {}
    for edge in graph.edges:
        consumers = 1 if edge.consumer is None else stages[edge.consumer].tasks
        every_task = isinstance(edge.partitioning, Broadcast) and edge.id not in shared
        credit = RESULT_CREDIT if edge.consumer is None else None
        plans[edge.id] = EdgePlan(edge, stages[edge.producer].tasks, consumers, consumers if every_task else 1, credit)
    return plans


def _read_by_shared_builds(root: Operator) -> Iterator[EdgeId]:
    """Edges that one task of a worker reads for all of them."""
    if isinstance(root, HashJoin) and root.side is BuildSide.SHARED and isinstance(root.build, ReadExchange):
        yield root.build.edge
    for part in operator_inputs(root):
        yield from _read_by_shared_builds(part)

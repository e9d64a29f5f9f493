"""What the driver tells workers of each edge of a graph: how many tasks write it, how many read it, how often an entry is
read, how long it is kept and who moves it.

What always holds: on a mesh a Broadcast edge is kept until its readers are over, for any number of workers may read it, and is
taken, never brought: which task of a worker reads it for all is decided there.
"""

from __future__ import annotations

from collections.abc import Iterator

from flightmesh.config import MIB
from flightmesh.driver.events import IN_PROCESS, JobOptions, ResultAt
from flightmesh.ids import EdgeId
from flightmesh.physical.operators import (
    BuildSide,
    FilterRows,
    HashJoin,
    Operator,
    ProjectColumns,
    ReadExchange,
    operator_inputs,
)
from flightmesh.physical.partitioning import Broadcast
from flightmesh.protocol.client_messages import Delivery
from flightmesh.protocol.messages import EdgePlan, ExchangeMode, Retention
from flightmesh.stage.graph import Edge, StageGraph

RESULT_CREDIT = 64 * MIB
"""Bytes of a result that lie ready for a client that reads slowly; the tasks that make it then wait, without a slot."""


def edge_plans(graph: StageGraph, options: JobOptions = IN_PROCESS) -> dict[EdgeId, EdgePlan]:
    """A plan for every edge of the graph. The client's edge has one consumer."""
    stages = {stage.id: stage for stage in graph.stages}
    shared = {edge for stage in graph.stages for edge in _read_by_shared_builds(stage.root)}
    plans = {}
    for edge in graph.edges:
        consumers = 1 if edge.consumer is None else stages[edge.consumer].tasks
        every_task = isinstance(edge.partitioning, Broadcast) and edge.id not in shared
        plans[edge.id] = EdgePlan(
            edge=edge,
            producers=stages[edge.producer].tasks,
            consumers=consumers,
            reads=consumers if every_task else 1,
            credit=_credit(edge, options),
            mode=_mode(edge, options),
            retention=_retention(edge, options),
            names=graph.names if edge.consumer is None else (),
        )
    return plans


def _credit(edge: Edge, options: JobOptions) -> int | None:
    """A result that is held back until it is whole must not wait for its reader."""
    return RESULT_CREDIT if edge.consumer is None and options.delivery is Delivery.STREAMED else None


def _mode(edge: Edge, options: JobOptions) -> ExchangeMode:
    moved = edge.consumer is not None and not isinstance(edge.partitioning, Broadcast)
    return options.mode if moved else ExchangeMode.GET


def _retention(edge: Edge, options: JobOptions) -> Retention:
    kept = isinstance(edge.partitioning, Broadcast) and options.result is ResultAt.WORKERS
    return Retention.JOB if kept else Retention.READ


def _read_by_shared_builds(root: Operator) -> Iterator[EdgeId]:
    """Edges that one task of a worker reads for all of them."""
    if isinstance(root, HashJoin) and root.side is BuildSide.SHARED:
        build = root.build
        while isinstance(build, ProjectColumns | FilterRows):
            build = build.input
        if isinstance(build, ReadExchange):
            yield build.edge
    for part in operator_inputs(root):
        yield from _read_by_shared_builds(part)

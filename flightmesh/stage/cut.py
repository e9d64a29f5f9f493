"""Cuts a physical plan at its exchanges into a graph of stages, and nothing else.

Handed the planner's tree, whose root is the exchange to the client; hands on the StageGraph. What always holds: a stage that
reads a Single edge, or that was planned for one task, is one task; producers stand before their consumers; exchanges over one
shared relation are edges of one stage.
"""

from __future__ import annotations

from dataclasses import field, replace

from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError
from flightmesh.ids import EdgeId, StageId
from flightmesh.physical.one_task import is_few, is_small, places
from flightmesh.physical.operators import (
    Exchange,
    ExpandSets,
    FilterRows,
    GroupBy,
    HashJoin,
    IterateRows,
    LimitRows,
    Operator,
    ProjectColumns,
    ReadExchange,
    SortRows,
    TableScan,
    TopOfGroups,
    TopRows,
    UnionRows,
    UnnestRows,
    ValuesRows,
    WindowRows,
    WorkingRows,
)
from flightmesh.physical.partitioning import Broadcast, Hash, RoundRobin, Single
from flightmesh.stage.graph import Edge, Stage, StageGraph


def cut_stages(root: Exchange, names: tuple[str, ...], config: Config) -> StageGraph:
    """The stages of a plan. `names` are the result's column names as the user wrote them."""
    cutting = _Cutting(config)
    result = cutting.cut(root, consumer=None)
    consumers = {edge: stage.id for stage in cutting.stages for edge in stage.inputs}
    edges = tuple(replace(e, consumer=consumers.get(e.id)) for e in cutting.edges)
    outputs: dict[StageId, list[EdgeId]] = {}
    for edge in edges:
        outputs.setdefault(edge.producer, []).append(edge.id)
    stages = tuple(replace(s, outputs=tuple(outputs.get(s.id, ()))) for s in cutting.stages)
    return StageGraph(stages, edges, result, names, is_ordered(root.input))


def is_ordered(root: Operator) -> bool:
    """Whether the rows of a plan come in an order that the query asked for."""
    while isinstance(root, ProjectColumns | LimitRows | FilterRows):
        root = root.input
    if isinstance(root, Exchange):
        return bool(root.order)
    return isinstance(root, SortRows | TopRows)


@dataclass(slots=True)
class _Leaves:
    """What the operators of one stage read."""

    inputs: list[EdgeId] = field(default_factory=list)
    scans: list[TableScan] = field(default_factory=list)
    single: bool = False
    spread_rows: float = 0.0
    spread: bool = False


@dataclass(slots=True)
class _Cutting:
    config: Config
    stages: list[Stage] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    shared: dict[int, StageId] = field(default_factory=dict)

    def cut(self, node: Exchange, consumer: StageId | None) -> EdgeId:
        """Makes the stage below an exchange, unless it is shared and made already, and the edge out of it."""
        producer = self.shared.get(node.shared) if node.shared is not None else None
        if producer is None:
            producer = self._stage(node.input, node.one_task)
            if node.shared is not None:
                self.shared[node.shared] = producer
        edge = Edge(EdgeId(len(self.edges)), producer, consumer, node.partitioning, node.fields, node.order, node.filters)
        self.edges.append(edge)
        return edge.id

    def _stage(self, root: Operator, one_task: bool) -> StageId:
        leaves = _Leaves()
        body = self._below(root, leaves)
        number = StageId(len(self.stages))
        tasks = self._tasks(leaves)
        if one_task and tasks != 1:
            raise InternalError(f"stage {number} was planned for one task and would have {tasks}")
        self.stages.append(Stage(number, body, tasks, tuple(leaves.inputs), (), tuple(leaves.scans)))
        return number

    def _below(self, node: Operator, leaves: _Leaves) -> Operator:
        """The operators of one stage, exchanges replaced by reads, scans numbered."""
        match node:
            case Exchange():
                return self._read(node, leaves)
            case TableScan():
                numbered = replace(node, source=len(leaves.scans))
                leaves.scans.append(numbered)
                return numbered
            case ValuesRows() | ReadExchange() | WorkingRows():
                return node
            case IterateRows():
                leaves.single = True
                seed = self._below(node.seed, leaves)
                return replace(node, seed=seed, step=self._below(node.step, leaves))
            case HashJoin():
                build = self._below(node.build, leaves)
                return replace(node, build=build, probe=self._below(node.probe, leaves))
            case UnionRows():
                return replace(node, inputs=tuple(self._below(part, leaves) for part in node.inputs))
            case (
                FilterRows()
                | ProjectColumns()
                | GroupBy()
                | ExpandSets()
                | UnnestRows()
                | WindowRows()
                | SortRows()
                | TopRows()
                | TopOfGroups()
                | LimitRows()
            ):
                return replace(node, input=self._below(node.input, leaves))

    def _read(self, node: Exchange, leaves: _Leaves) -> ReadExchange:
        edge = self.cut(node, consumer=None)
        leaves.inputs.append(edge)
        match node.partitioning:
            case Single():
                leaves.single = True
            case Hash() | RoundRobin():
                leaves.spread = True
                leaves.spread_rows += node.estimate if node.estimate is not None else float("inf")
            case Broadcast():
                pass
        return ReadExchange(edge, node.fields, node.order, node.estimate)

    def _tasks(self, leaves: _Leaves) -> int:
        if leaves.single or not (leaves.spread or leaves.scans):
            return 1
        if self.config.partitions is not None:
            return self.config.partitions
        least = max((places(scan.table) for scan in leaves.scans), default=1)
        if is_few(leaves.spread_rows, self.config) and all(is_small(scan.table) for scan in leaves.scans):
            return least
        return max(self.config.tasks, least)

"""The graph of stages that a job is: what the driver schedules and the workers run. Values that cross the wire."""

from __future__ import annotations

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Field
from flightmesh.ids import EdgeId, StageId
from flightmesh.physical.operators import ColumnOrder, DynamicFilter, Operator, TableScan
from flightmesh.physical.partitioning import Partitioning


@dataclass(frozen=True, slots=True)
class Edge:
    """An exchange from `producer` to `consumer` (None: the client). A consumer task reads a range of the edge's buckets:
    task i of n reads buckets i*B//n up to (i+1)*B//n; of a Broadcast edge every task reads the one bucket. `filters`: dynamic
    filters whose keys are in columns of its rows, and which scans of other stages apply."""

    id: EdgeId
    producer: StageId
    consumer: StageId | None
    partitioning: Partitioning
    fields: tuple[Field, ...]
    order: tuple[ColumnOrder, ...] = ()
    filters: tuple[DynamicFilter, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Operators between exchanges, run as `tasks` equal tasks. `root`'s rows go to every edge of `outputs`; its leaves are
    TableScans (`scans`, by their `source` number), ValuesRows and ReadExchanges (`inputs`)."""

    id: StageId
    root: Operator
    tasks: int
    inputs: tuple[EdgeId, ...]
    outputs: tuple[EdgeId, ...]
    scans: tuple[TableScan, ...]

    def applies(self, number: int) -> bool:
        """Whether a scan of it applies a dynamic filter."""
        return any(applied.number == number for scan in self.scans for applied in scan.dynamic)


@dataclass(frozen=True, slots=True)
class StageGraph:
    """A job's stages in an order in which producers come before consumers. `result` is the edge that the client reads (one
    bucket; in order when `ordered`), `names` its column names as the user wrote them."""

    stages: tuple[Stage, ...]
    edges: tuple[Edge, ...]
    result: EdgeId
    names: tuple[str, ...]
    ordered: bool

    def stage(self, number: StageId) -> Stage:
        """The stage with this id."""
        for stage in self.stages:
            if stage.id == number:
                return stage
        raise KeyError(number)

    def edge(self, number: EdgeId) -> Edge:
        """The edge with this id."""
        for edge in self.edges:
            if edge.id == number:
                return edge
        raise KeyError(number)

"""The planning pipeline: from a bound relation to the stages that run.

Handed a relation with the names of its columns; hands on every level of its plan. What always holds: the result edge has
one column for each name, in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from flightmesh.catalog.table import MemoryTable
from flightmesh.config import Config
from flightmesh.logical.relations import Relation
from flightmesh.optimize.context import Context
from flightmesh.optimize.rules import optimize
from flightmesh.physical.operators import Exchange
from flightmesh.physical.planner import plan_physical
from flightmesh.stage.cut import cut_stages
from flightmesh.stage.graph import StageGraph


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A query on every level of its planning."""

    names: tuple[str, ...]
    logical: Relation
    optimized: Relation
    physical: Exchange
    graph: StageGraph

    @property
    def schema(self) -> pa.Schema:
        """The result's columns under the user's names, with the engine's types."""
        fields = self.graph.edge(self.graph.result).fields
        return pa.schema([pa.field(name, field.type) for name, field in zip(self.names, fields, strict=False)])

    @property
    def memory_keys(self) -> frozenset[str]:
        """Keys of the tables in memory that the query reads."""
        scans = (scan for stage in self.graph.stages for scan in stage.scans)
        return frozenset(scan.table.key for scan in scans if isinstance(scan.table, MemoryTable))


def plan_query(relation: Relation, names: tuple[str, ...], context: Context, config: Config) -> QueryPlan:
    """Optimizes a relation, picks its operators and cuts them into stages."""
    optimized = optimize(relation, context)
    physical = plan_physical(optimized, context, config)
    return QueryPlan(names, relation, optimized, physical, cut_stages(physical, names, config))

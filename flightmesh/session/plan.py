"""The planning pipeline: from a bound relation to the stages that run.

Handed a relation with the names of its columns; hands on every level of its plan. What always holds: the result edge has
the columns of the bound relation, in order, one for each name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from flightmesh.catalog.table import MemoryTable
from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.errors import FlightmeshError, InternalError
from flightmesh.expression.headroom import nested_too_deeply, with_headroom
from flightmesh.logical.relations import Relation
from flightmesh.logical.validate import require_same_columns
from flightmesh.optimize.context import Context
from flightmesh.optimize.rules import optimize
from flightmesh.physical.operators import Exchange
from flightmesh.physical.planner import plan_physical
from flightmesh.stage.cut import cut_stages
from flightmesh.stage.graph import StageGraph

LOG = logging.getLogger(__name__)


@contextmanager
def typed_errors() -> Iterator[None]:
    """Makes what goes wrong inside a FlightmeshError: what is none yet is a bug of ours, or a query nested too deeply."""
    try:
        yield
    except FlightmeshError:
        raise
    except RecursionError:
        raise nested_too_deeply() from None
    except Exception as failure:
        LOG.debug("planning failed", exc_info=failure)
        reason = f"{type(failure).__name__}: {failure}"
        raise InternalError(reason, hint="this is a bug in flightmesh: please report it") from None


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A query on every level of its planning. `source`: the text that all places in it are in, if it is one."""

    names: tuple[str, ...]
    logical: Relation
    optimized: Relation
    physical: Exchange
    graph: StageGraph
    source: str = ""

    @property
    def schema(self) -> pa.Schema:
        """The result's columns under the user's names, with the engine's types."""
        fields = self.graph.edge(self.graph.result).fields
        return pa.schema([pa.field(name, field.type) for name, field in zip(self.names, fields, strict=True)])

    @property
    def memory_keys(self) -> frozenset[str]:
        """Keys of the tables in memory that the query reads."""
        scans = (scan for stage in self.graph.stages for scan in stage.scans)
        return frozenset(scan.table.key for scan in scans if isinstance(scan.table, MemoryTable))


def plan_query(relation: Relation, names: tuple[str, ...], context: Context, config: Config) -> QueryPlan:
    """Optimizes a relation, picks its operators and cuts them into stages. Raises UnsupportedFeature for one that is nested too
    deeply."""
    try:
        return with_headroom(lambda: _planned(relation, names, context, config))
    except RecursionError:
        raise nested_too_deeply() from None


def _planned(relation: Relation, names: tuple[str, ...], context: Context, config: Config) -> QueryPlan:
    optimized = optimize(relation, context)
    require_same_columns(relation.fields, optimized.fields, "the optimized query")
    physical = plan_physical(optimized, context, config)
    graph = cut_stages(physical, names, config)
    require_same_columns(relation.fields, graph.edge(graph.result).fields, "the result")
    return QueryPlan(names, relation, optimized, physical, graph)

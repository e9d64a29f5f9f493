"""Runs logical relations and stage graphs for tests: planned physically, through driver, worker, exchange store and
fragments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.statistics import statistics
from flightmesh.config import Config
from flightmesh.driver.record import JobRecord
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import Relation
from flightmesh.logical.traversal import inputs
from flightmesh.optimize.context import Context
from flightmesh.physical.planner import plan_physical
from flightmesh.runtime.embedded import EmbeddedRuntime
from flightmesh.stage.cut import cut_stages
from flightmesh.stage.graph import StageGraph

SMALL_MEMORY = 1 << 30


def run_relation(
    relation: Relation, names: tuple[str, ...] | None = None, tables: MemoryTables | None = None, partitions: int = 2
) -> pa.Table:
    """The rows of a relation without Applies (and UNION only as ALL). `tables` holds what its scans of tables in memory
    read."""
    stored = tables or MemoryTables()
    config = Config(threads=2, partitions=partitions, memory=SMALL_MEMORY)
    context = Context(ColumnIds(_first_free(relation)), lambda table: statistics(table, stored), config)
    titles = names or tuple(field.name for field in relation.fields)
    graph = cut_stages(plan_physical(relation, context, config), titles, config)
    return run_graph(graph, stored, config)[0]


def run_graph(graph: StageGraph, tables: MemoryTables, config: Config) -> tuple[pa.Table, JobRecord]:
    """The rows of a graph under the names it gives, and the record of its job."""
    with running(config, tables) as runtime:
        return run_on(runtime, graph)


def run_on(runtime: EmbeddedRuntime, graph: StageGraph) -> tuple[pa.Table, JobRecord]:
    """The same on a runtime that is up."""
    handle = runtime.submit(graph)
    batches = list(handle.batches())
    fields = graph.edge(graph.result).fields
    schema = pa.schema([pa.field(f.key, f.type) for f in fields])
    record = handle.record
    assert record is not None
    return pa.Table.from_batches(batches, schema).rename_columns(list(graph.names)), record


@contextmanager
def running(config: Config, tables: MemoryTables | None = None) -> Iterator[EmbeddedRuntime]:
    """A runtime that is closed at the end."""
    runtime = EmbeddedRuntime(config, tables or MemoryTables())
    try:
        yield runtime
    finally:
        runtime.close()


def _first_free(relation: Relation) -> int:
    """A column id that no field of the relation has."""
    return 1 + max((_highest(relation)), default=0)


def _highest(relation: Relation) -> Iterator[int]:
    for field in relation.fields:
        yield int(field.id)
    for filtered in getattr(relation, "filter_only", ()):
        yield int(filtered.id)
    for part in inputs(relation):
        yield from _highest(part)

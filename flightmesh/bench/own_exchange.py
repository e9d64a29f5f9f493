"""The runner of benchmarks/shuffle.py: rows that lie in memory are dealt to buckets, moved and counted, and no more is done.
`python -m flightmesh.bench.own_exchange OPTIONS`.

Speaks as every runner does (peers/protocol.py). A query has a text like any other, so that its answer is known; how its rows
are dealt is in a comment behind it. Its plan is not the planner's, which would count where the rows are, but made here. At a
mesh the driver is in this process, since clients hand drivers texts, not plans.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import flightmesh
from flightmesh.bench.nodes import Nodes
from flightmesh.bench.own import exchanged
from flightmesh.bench.peers.protocol import serve
from flightmesh.catalog.table import MemoryTable
from flightmesh.config import Config
from flightmesh.driver.record import JobRecord
from flightmesh.expression.nodes import Field
from flightmesh.ids import ColumnId
from flightmesh.node.client_service import ClientService
from flightmesh.node.driver_node import DriverNode
from flightmesh.node.mesh_engine import MeshEngine
from flightmesh.node.people import People
from flightmesh.node.roots import Roots
from flightmesh.physical.operators import Exchange, GroupBy, GroupPhase, Measure, TableScan
from flightmesh.physical.partitioning import Hash, Single
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.session.engine import EmbeddedEngine, Engine
from flightmesh.stage.cut import cut_stages
from flightmesh.stage.graph import StageGraph

_COUNTED = re.compile(r"count\((\w+)\)")
_TABLE = re.compile(r"\bfrom (\w+)")
_DEALT = re.compile(r"-- by (\w+) into (\d+) buckets")


class OwnExchange:
    """An engine of this process, or that of a driver in this process with workers of its own."""

    version = flightmesh.__version__

    def __init__(self, options: dict[str, Any]) -> None:
        self._ends = ExitStack()
        self._tables: dict[str, MemoryTable] = {}
        self._last: JobRecord | None = None
        try:
            if options["engine"] == "mesh":
                self._engine: Engine = _meshed(options["threads"], options["scratch"], self._ends)
            else:
                self._engine = EmbeddedEngine(Config(threads=options["threads"]))
            self._ends.callback(self._engine.close)
        except BaseException:
            self._ends.close()
            raise

    def load(self, tables: dict[str, str]) -> None:
        """Takes the rows into memory: of the workers, at a mesh."""
        for name, path in tables.items():
            table = self._engine.find_data(name, pq.read_table(path))
            assert isinstance(table, MemoryTable), "Arrow's tables are kept in memory"
            self._tables[name] = table

    def run(self, sql: str) -> pa.Table:
        """To Arrow."""
        graph = graph_of(sql, self._tables, self._engine.config)
        job = self._engine.submit(graph)
        batches = job.gather()
        self._last = job.record
        return pa.Table.from_batches(batches).rename_columns(list(graph.names))

    def figures(self) -> dict[str, float]:
        """What the engine knows of the last run."""
        return exchanged(self._last)

    def close(self) -> None:
        """Ends the engine and the mesh."""
        self._ends.close()


def graph_of(sql: str, tables: dict[str, MemoryTable], config: Config) -> StageGraph:
    """Three stages: rows dealt by hash, counted where they come to, counts added up. Raises ValueError for another text."""
    names, table, dealt = _COUNTED.findall(sql), _TABLE.search(sql), _DEALT.search(sql)
    if not names or table is None or dealt is None:
        raise ValueError("a text is: select count(COLUMN) as COLUMN, ... from TABLE -- by COLUMN into NUMBER buckets")
    read = tables[table[1]]
    fields = tuple(Field(ColumnId(n), name, read.schema.field(name).type) for n, name in enumerate(names, 1))
    key = next(field for field in fields if field.name == dealt[1])
    scan = TableScan(read, 0, fields, (), fields)
    moved = Exchange(scan, Hash((key.column(),), int(dealt[2])), fields=fields, estimate=float(read.rows))
    counts = tuple(Field(ColumnId(100 + n), name, pa.int64()) for n, name in enumerate(names, 1))
    sums = tuple(Field(ColumnId(200 + n), name, pa.int64()) for n, name in enumerate(names, 1))
    counted = tuple(Measure(made, "count", field.column()) for made, field in zip(counts, fields, strict=True))
    added = tuple(Measure(made, "sum_count", field.column()) for made, field in zip(sums, counts, strict=True))
    partial = GroupBy(moved, GroupPhase.PARTIAL, (), counted)
    final = GroupBy(Exchange(partial, Single(), fields=partial.fields), GroupPhase.FINAL, (), added)
    return cut_stages(Exchange(final, Single(), fields=final.fields), tuple(names), config)


def _meshed(workers: int, scratch: str, ends: ExitStack) -> MeshEngine:
    services: list[ClientService] = []

    def clients(mesh: MeshDriver, people: People, roots: Roots) -> ClientService:
        services.append(ClientService(mesh, people, roots))
        return services[0]

    driver = DriverNode(Config(), clients)
    ends.callback(driver.close)
    driver.start()
    Nodes(ends).workers(driver.client_uri, workers, scratch)
    return MeshEngine(services[0].mesh, "bench")


def main() -> None:
    """Serves until the command is gone."""
    serve(OwnExchange)


if __name__ == "__main__":
    main()

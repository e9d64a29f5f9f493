"""The engine of one session on a mesh's driver: what plans its queries is here, what runs them are the workers.

Handed stage graphs, names of files, rows; hands on jobs, tables, statistics. What always holds: queries are planned for the
workers that are alive; closing cancels the session's jobs; tables in memory are the mesh's and stay until their name and their
last reader are gone.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

from flightmesh.catalog.memory import as_table
from flightmesh.catalog.named_files import NamedFiles
from flightmesh.catalog.table import FileTable, MemoryTable, Table, TableStatistics
from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.driver.events import IN_PROCESS, JobOptions, ResultAt
from flightmesh.errors import Cancelled, NodeUnavailable, UnknownJob
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.ids import JobId
from flightmesh.node.mesh_files import MeshFiles
from flightmesh.node.mesh_job import MeshJob
from flightmesh.node.mesh_tables import MeshTables
from flightmesh.protocol.messages import ExchangeMode
from flightmesh.runtime.machine import memory_limit
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.runtime.served_parts import parts_of
from flightmesh.session.engine import Rows
from flightmesh.session.partition_readers import Order
from flightmesh.session.plan_cache import PlanCache
from flightmesh.stage.graph import StageGraph


@dataclass(frozen=True, slots=True)
class Mesh:
    """What all sessions of a driver share."""

    driver: MeshDriver
    files: MeshFiles
    tables: MeshTables
    budget: MemoryBudget
    plans: PlanCache

    @property
    def config(self) -> Config:
        """The configuration that queries are planned with: builds are not shared between processes, and a partitioned stage has
        a task for each slot of the workers that are alive."""
        config = self.driver.config
        slots = sum(worker.slots for worker in self.driver.workers())
        return replace(config, threads=max(1, slots), planner=replace(config.planner, share_builds=False))

    def close(self) -> None:
        """Ends the threads."""
        self.files.close()
        self.tables.close()


def budget_of(config: Config) -> MemoryBudget:
    """What the driver process may gather: results that it reads itself."""
    return MemoryBudget(config.memory or memory_limit())


class MeshEngine:
    """`session.engine.Engine` over a mesh. `label`: what people see as the session of its jobs."""

    def __init__(self, mesh: Mesh, label: str) -> None:
        self.mesh = mesh
        self.label = label
        self._jobs: set[JobId] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def config(self) -> Config:
        """As the mesh is now."""
        return self.mesh.config

    @property
    def plans(self) -> PlanCache:
        """Those of the mesh, whose sessions share them."""
        return self.mesh.plans

    def submit(self, graph: StageGraph, options: JobOptions = IN_PROCESS) -> MeshJob:
        """Starts a job whose rows the driver reads, or leaves to its clients."""
        job = self.start(graph, options)
        return MeshJob(self.mesh.driver, job, Order.STRICT if graph.ordered else Order.FREE, self.mesh.budget)

    def start(self, graph: StageGraph, options: JobOptions) -> JobId:
        """Starts a job. Raises Cancelled when the session is closed, WorkerLost when a table that it reads is not whole,
        NodeUnavailable where there is no worker."""
        for stage in graph.stages:
            for scan in stage.scans:
                if isinstance(scan.table, MemoryTable):
                    self.mesh.tables.require_whole(scan.table)
                elif scan.table.is_served:
                    parts_of(scan.table, {str(worker.id) for worker in self.mesh.driver.workers()})
        if not self.mesh.driver.workers():
            raise NodeUnavailable("this mesh has no workers", hint="start one: the driver has printed the line that joins")
        config = self.mesh.driver.config
        mode = ExchangeMode(config.exchange.mode)
        chosen = replace(options, result=ResultAt.WORKERS, mode=mode, session=self.label, keep=config.mesh.result_seconds)
        with self._lock:
            if self._is_closed:
                raise Cancelled("the session is closed")
            job = self.mesh.driver.submit(graph, chosen)
            self._jobs.add(job)
        return job

    def open_files(self, named: NamedFiles) -> FileTable:
        """The table in files of the nodes."""
        return self.mesh.files.open_files(named)

    def refresh(self, table: FileTable) -> FileTable:
        """The table as its files are now."""
        return self.mesh.files.refresh(table)

    def reopen(self, table: FileTable, named: NamedFiles) -> FileTable:
        """The table in files of the nodes, `table` while it is the same."""
        return self.mesh.files.reopen(table, named)

    def find_data(self, name: str, data: Any) -> Table:
        """Data dealt to the workers."""
        rows = as_table(data)
        return self.mesh.tables.put(name, rows.schema, rows.to_batches())

    def create_table(self, name: str, rows: Rows) -> MemoryTable:
        """The rows of a query, dealt to the workers as they come."""
        return self.mesh.tables.put(name, rows.schema, iter(rows))

    def hold(self, reader: object, keys: frozenset[str]) -> None:
        """Keeps tables until `reader` is collected."""
        self.mesh.tables.leases.hold(reader, keys)

    def drop_table(self, key: str) -> None:
        """Drops a table when nobody reads it any more."""
        self.mesh.tables.leases.retire(key)

    def statistics(self, table: Table) -> TableStatistics:
        """What is known of a table."""
        return self.mesh.files.statistics(table)

    def is_unique(self, table: Table, column: str) -> bool:
        """Proved by the driver, where it sees the files of the workers."""
        return self.mesh.files.is_unique(table, column)

    def forget_ended(self) -> None:
        """Forgets jobs of which nothing is left."""
        for job in tuple(self._jobs):
            if has_gone(self.mesh.driver, job):
                self._jobs.discard(job)

    def close(self) -> None:
        """Cancels the session's jobs."""
        self.abandon()

    def abandon(self) -> None:
        """The same; nothing here waits."""
        with self._lock:
            self._is_closed = True
            jobs = tuple(self._jobs)
        for job in jobs:
            with suppress(UnknownJob):  # long over
                if not self.mesh.driver.wait_forgotten(job, 0):
                    self.mesh.driver.cancel(job, "the session was closed")


def has_gone(driver: MeshDriver, job: JobId) -> bool:
    """Whether nothing of a job is left on any worker."""
    try:
        return driver.wait_forgotten(job, 0)
    except UnknownJob:
        return True

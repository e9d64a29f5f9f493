"""What a session needs of what runs its queries: this process (`EmbeddedEngine`), or the driver of a mesh.

Handed stage graphs, names of files, data; hands on jobs, tables, statistics. What always holds: a table in memory stays for as
long as it has a name or a reader; every method may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Protocol

import pyarrow as pa

from flightmesh.catalog.catalog import Files, OwnFiles
from flightmesh.catalog.datasets import open_dataset
from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.statistics import statistics
from flightmesh.catalog.table import MemoryTable, Table, TableStatistics
from flightmesh.catalog.uniqueness import is_unique
from flightmesh.config import Config
from flightmesh.driver.events import IN_PROCESS, JobOptions
from flightmesh.driver.record import JobRecord, Progress
from flightmesh.exchange.budget import NO_JOB
from flightmesh.ids import JobId
from flightmesh.runtime.embedded import EmbeddedRuntime
from flightmesh.session.leases import Leases
from flightmesh.session.plan_cache import PlanCache
from flightmesh.stage.graph import StageGraph


class Job(Protocol):
    """One submitted job, as who reads its result sees it."""

    @property
    def job(self) -> JobId:
        """Its number."""

    @property
    def progress(self) -> Progress:
        """How far it is."""

    @property
    def record(self) -> JobRecord | None:
        """What it did, once it has its outcome."""

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """The result as it comes, once. Closing the iterator early cancels the job."""

    def gather(self) -> list[pa.RecordBatch]:
        """The whole result, once. Raises ResourceExhausted when it does not fit the memory budget."""

    def cancel(self, reason: str = "the query was cancelled") -> None:
        """Ends the job. Harmless when it has ended."""

    def wait_released(self, seconds: float | None = None) -> bool:
        """Waits until nothing of the job is left anywhere; false when that took longer."""


class Rows(Protocol):
    """The rows of a query that has been planned: all at once, or as they come."""

    schema: pa.Schema

    def to_arrow(self) -> pa.Table:
        """All of them."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """As they come."""


class Engine(Files, Protocol):
    """What runs the queries of a session, opens its files and keeps its tables."""

    @property
    def config(self) -> Config:
        """The configuration that queries are planned with: asked for anew for each, as a mesh grows and shrinks."""

    @property
    def plans(self) -> PlanCache:
        """The plans that are kept, of all sessions."""

    def submit(self, graph: StageGraph, options: JobOptions = IN_PROCESS) -> Job:
        """Starts a job. Raises Cancelled when the session is closed."""

    def find_data(self, name: str, data: Any) -> Table:
        """Data of the user as a table: kept in memory, or the files that it is. Raises InvalidInput when it makes none."""

    def create_table(self, name: str, rows: Rows) -> MemoryTable:
        """Keeps the rows of a query. Raises ResourceExhausted past the memory budget."""

    def hold(self, reader: object, keys: frozenset[str]) -> None:
        """Keeps the tables in memory under `keys` until `reader` is collected."""

    def drop_table(self, key: str) -> None:
        """Drops a table in memory whose name has gone: now, or when its last reader is collected."""

    def statistics(self, table: Table) -> TableStatistics:
        """What is known of a table."""

    def is_unique(self, table: Table, column: str) -> bool:
        """Whether it is proved that no two rows of a table agree in a column, and none has NULL."""

    def close(self) -> None:
        """Cancels what runs and frees what is held. Repeating it is harmless."""

    def abandon(self) -> None:
        """The same without waiting, for a session that was dropped and not closed. Nothing of it may run."""


TABLES = "tables in memory"
DROP_SOME = "drop tables that are no longer needed, or raise the budget (connect(memory=...))"


class EmbeddedEngine(OwnFiles):
    """Driver and worker in this process; files are those of this machine. A table made by a query counts against the memory
    budget from its making to its end; data that a user registers is the user's and does not."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tables = MemoryTables()
        self.runtime = EmbeddedRuntime(config, self._tables)
        self._leases = Leases(self._drop)
        self._charged: dict[str, int] = {}
        self._plans = PlanCache(config.planner.plan_cache)

    @property
    def config(self) -> Config:
        """As given."""
        return self._config

    @property
    def plans(self) -> PlanCache:
        """Those of this session."""
        return self._plans

    def submit(self, graph: StageGraph, options: JobOptions = IN_PROCESS) -> Job:
        """Starts a job in this process, whatever `options` say for a mesh."""
        return self.runtime.submit(graph, JobOptions(planning=options.planning, source=options.source))

    def find_data(self, name: str, data: Any) -> Table:
        """A dataset of whole Parquet files on the local disk is those files; all else is read now."""
        return open_dataset(name, data) or self._tables.put(name, data)

    def create_table(self, name: str, rows: Rows) -> MemoryTable:
        """Keeps the rows; they count against the memory budget."""
        data = rows.to_arrow()
        budget, size = self.runtime.budget, data.nbytes
        budget.take(NO_JOB, TABLES, size, DROP_SOME)
        try:
            table = self._tables.put(name, data)
        except BaseException:
            budget.give(NO_JOB, TABLES, size)
            raise
        self._charged[table.key] = size
        return table

    def hold(self, reader: object, keys: frozenset[str]) -> None:
        """Keeps tables until `reader` is collected."""
        self._leases.hold(reader, keys)

    def drop_table(self, key: str) -> None:
        """Drops a table when nobody reads it any more."""
        self._leases.retire(key)

    def statistics(self, table: Table) -> TableStatistics:
        """From the footers of files, or the data in memory."""
        return statistics(table, self._tables)

    def is_unique(self, table: Table, column: str) -> bool:
        """By reading the column, once for each state of its files."""
        return is_unique(table, column)

    def close(self) -> None:
        """Cancels what runs and ends every thread."""
        self.runtime.close()

    def abandon(self) -> None:
        """Lets every thread end."""
        self.runtime.abandon()

    def _drop(self, key: str) -> None:
        self._tables.drop(key)
        self.runtime.budget.give_late(NO_JOB, TABLES, self._charged.pop(key, 0))

"""What a worker is made with: memory, slots, a place for rows, and where it finds tables.

Handed a configuration; hands on one value that the worker's board and all its attempts share.
"""

from __future__ import annotations

from flightmesh.catalog.column_cache import ColumnCache
from flightmesh.catalog.memory import MemoryTables
from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.store import ExchangeStore, exchange_store
from flightmesh.runtime.kept_columns import kept_columns
from flightmesh.runtime.local_files import LocalFiles, as_they_are
from flightmesh.runtime.slots import Slots
from flightmesh.runtime.threads import IDLE_SECONDS


@dataclass(frozen=True, slots=True)
class WorkerResources:
    """`tables`: those in memory; `files`: where served ones lie here; `columns`: those of files that are kept in memory;
    `idle_seconds`: how long a thread that has nothing to do is kept."""

    store: ExchangeStore
    tables: MemoryTables
    slots: Slots
    morsel_rows: int
    files: LocalFiles = as_they_are
    columns: ColumnCache | None = None
    idle_seconds: float = IDLE_SECONDS

    @property
    def budget(self) -> MemoryBudget:
        """The memory budget."""
        return self.store.budget


def worker_resources(config: Config, memory: int, tables: MemoryTables, files: LocalFiles = as_they_are) -> WorkerResources:
    """Those of a worker with so many bytes of memory, as the configuration has it."""
    budget = MemoryBudget(memory)
    return WorkerResources(
        exchange_store(budget, config.exchange),
        tables,
        Slots(config.threads),
        config.morsel_rows,
        files,
        kept_columns(budget, config.column_cache),
        config.idle_seconds,
    )

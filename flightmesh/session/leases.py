"""Keeps a table in memory for as long as a result may still read it, though its name has gone or means another table.

Handed results with the keys they read, and keys whose name has gone; drops a table's rows when both are true: no name, no
reader. What always holds: a table made here counts against the memory budget from its making to its end; data that a user
registers is the user's and does not.
"""

from __future__ import annotations

import threading
import weakref

import pyarrow as pa

from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.table import MemoryTable
from flightmesh.exchange.budget import NO_JOB, MemoryBudget

TABLES = "tables in memory"
DROP_SOME = "drop tables that are no longer needed, or raise the budget (connect(memory=...))"


class Leases:
    """Readers of tables in memory, counted by key. Any thread may call."""

    def __init__(self, tables: MemoryTables, budget: MemoryBudget) -> None:
        self._tables = tables
        self._budget = budget
        self._charged: dict[str, int] = {}
        self._readers: dict[str, int] = {}
        self._retired: set[str] = set()
        self._lock = threading.RLock()  # a finalizer may run in the middle of any of these methods

    def create(self, name: str, rows: pa.Table) -> MemoryTable:
        """Stores the rows of a new table. Raises ResourceExhausted past the memory budget."""
        size = rows.nbytes
        self._budget.take(NO_JOB, TABLES, size, DROP_SOME)
        try:
            table = self._tables.put(name, rows)
        except BaseException:
            self._budget.give(NO_JOB, TABLES, size)
            raise
        with self._lock:
            self._charged[table.key] = size
        return table

    def hold(self, reader: object, keys: frozenset[str]) -> None:
        """Keeps the tables under `keys` until `reader` is collected."""
        if not keys:
            return
        with self._lock:
            for key in keys:
                self._readers[key] = self._readers.get(key, 0) + 1
        weakref.finalize(reader, self._let_go, keys)

    def retire(self, key: str) -> None:
        """Drops a table, now or when its last reader is collected."""
        with self._lock:
            self._retired.add(key)
            self._drop_if_unread(key)

    def _let_go(self, keys: frozenset[str]) -> None:
        with self._lock:
            for key in keys:
                self._readers[key] -= 1
                self._drop_if_unread(key)

    def _drop_if_unread(self, key: str) -> None:
        if key in self._retired and not self._readers.get(key):
            self._retired.discard(key)
            self._readers.pop(key, None)
            self._tables.drop(key)
            self._budget.give_late(NO_JOB, TABLES, self._charged.pop(key, 0))

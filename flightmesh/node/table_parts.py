"""The parts of tables in memory that a worker holds for its mesh.

Handed rows as a driver deals them out, under the key that the table has everywhere; keeps them in the worker's `MemoryTables`.
What always holds: what is kept is accounted for in the worker's memory budget; a part is there whole or not at all.
"""

from __future__ import annotations

import threading

import pyarrow as pa

from flightmesh.catalog.memory import MemoryTables
from flightmesh.exchange.budget import NO_JOB, MemoryBudget
from flightmesh.transport.service import Call, InStream

PURPOSE = "tables in memory"
HINT = "drop tables that nobody uses, or give the workers more memory (flightmesh worker --memory)"


class TableParts:
    """Any thread may call."""

    def __init__(self, tables: MemoryTables, budget: MemoryBudget) -> None:
        self._tables = tables
        self._budget = budget
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, key: str, stream: InStream, call: Call) -> None:
        """Keeps the rows of a stream, once it has ended well. Raises ResourceExhausted past the budget."""
        batches: list[pa.RecordBatch] = []
        held = 0
        try:
            for batch, _ in stream.batches:
                if batch is not None and batch.num_rows:
                    self._budget.take(NO_JOB, PURPOSE, batch.nbytes, HINT)
                    held += batch.nbytes
                    batches.append(batch)
        except BaseException:
            self._budget.give(NO_JOB, PURPOSE, held)
            raise
        if call.is_cancelled():
            self._budget.give(NO_JOB, PURPOSE, held)
            return
        with self._lock:
            before = self._sizes.pop(key, 0)
            self._sizes[key] = held
            self._tables.keep(key, pa.Table.from_batches(batches, stream.schema))
        self._budget.give(NO_JOB, PURPOSE, before)

    @property
    def count(self) -> int:
        """Tables of which a part is here."""
        return len(self._sizes)

    def drop_all(self) -> None:
        """Forgets every part."""
        with self._lock:
            keys = list(self._sizes)
        for key in keys:
            self.drop(key)

    def drop(self, key: str) -> None:
        """Forgets a part; harmless where there is none."""
        with self._lock:
            held = self._sizes.pop(key, 0)
            self._tables.drop(key)
        self._budget.give(NO_JOB, PURPOSE, held)

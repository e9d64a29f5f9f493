"""Files as a mesh sees them: looked up at all workers, which must see the same ones; those that nodes serve, at these.

Handed paths as a person wrote them, or a table; hands on tables pinned by path and size, and their statistics. What always
holds: a table is only handed on when every worker sees the same files with the same sizes; where times of change differ between
workers (copies), the files are pinned by size alone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from flightmesh.catalog.named_files import NamedFiles
from flightmesh.catalog.open import is_unchanged, names_files
from flightmesh.catalog.statistics import LazyColumns, statistics
from flightmesh.catalog.table import (
    ColumnStatistics,
    File,
    FileTable,
    MemoryTable,
    Table,
    TableStatistics,
)
from flightmesh.catalog.uniqueness import is_unique
from flightmesh.errors import FlightmeshError, InvalidInput, NodeSilent, NodeUnavailable, WorkerLost
from flightmesh.exchange.budget import format_bytes
from flightmesh.node.mesh_served import MeshServed
from flightmesh.node.roots import Roots
from flightmesh.node.worker_answers import WorkerAnswers
from flightmesh.protocol.asking import AskStatistics, LookedUp, LookUp, Statistics
from flightmesh.protocol.codec import decode, encode
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.runtime.split_search import sees

LOOK_SECONDS = 60.0
STATISTICS_SECONDS = 20.0
_TABLES_KEPT = 256


class MeshFiles:
    """`catalog.Files` of a mesh. `roots`: what the driver's owner allows; each worker checks its own besides."""

    def __init__(self, mesh: MeshDriver, roots: Roots) -> None:
        self._roots = roots
        self._answers = WorkerAnswers(mesh)
        self.served = MeshServed(mesh, self._answers)
        self._kept: OrderedDict[tuple[File, ...], TableStatistics] = OrderedDict()
        self._lock = threading.Lock()

    def open_files(self, named: NamedFiles) -> FileTable:
        """The table in files of the nodes. Raises InvalidInput, NotAllowed, and NodeUnavailable where there is no worker."""
        self._roots.check_paths(named.paths)
        storage = None if named.storage is None else named.storage.options
        return self._look_up(LookUp(named.name, named.paths, named.format, named.options, storage))

    def refresh(self, table: FileTable) -> FileTable:
        """The table as its files are now; the same object while they have not changed."""
        if table.is_served:
            return self.served.refresh(table)
        if not table.source:
            return table
        try:
            if (names_files(table) or sees(table)) and is_unchanged(table):
                return table
        except InvalidInput:  # whether they are gone everywhere, the workers will say
            pass
        paths, storage = table.source, None
        if table.storage.scheme == "s3":
            paths, storage = tuple(f"s3://{path}" for path in table.source), table.storage.options
        now = self._look_up(LookUp(table.name, paths, table.format.value, table.options, storage))
        return table if now.files == table.files else now

    def reopen(self, table: FileTable, named: NamedFiles) -> FileTable:
        """What `open_files` gives, asked of the workers as there; `table` while it is the same."""
        now = self.open_files(named)
        return table if now == table else now

    def statistics(self, table: Table) -> TableStatistics:
        """What is known of a table: read here if the driver sees the same files, else by a worker. Of tables in memory, which
        lie at the workers, only rows and bytes."""
        if isinstance(table, MemoryTable) or sees(table):
            return statistics(table)
        with self._lock:
            found = self._kept.get(table.files)
        if found is None:
            found = self.served.statistics(table) if table.is_served else self._of_a_worker(table)
            with self._lock:
                self._kept[table.files] = found
                while len(self._kept) > _TABLES_KEPT:
                    self._kept.popitem(last=False)
        return found

    def is_unique(self, table: Table, column: str) -> bool:
        """Whether it is proved that no two rows agree in a column: never of files that only workers see."""
        return not isinstance(table, MemoryTable) and sees(table) and is_unique(table, column)

    def close(self) -> None:
        """Ends the threads that ask."""
        self._answers.close()

    def _look_up(self, asked: LookUp) -> FileTable:
        tables: dict[str, FileTable] = {}
        errors: dict[str, FlightmeshError] = {}
        for worker, answer in self._answers.of_all("look-up", encode(asked), LOOK_SECONDS):
            if isinstance(answer, bytes):
                looked_up: LookedUp = decode(answer, LookedUp)
                tables[worker.name] = looked_up.table
            else:
                errors[worker.name] = answer
        if not tables:
            raise next(iter(errors.values()))
        errors = {name: error for name, error in errors.items() if not _has_gone(error)}
        silent = next((error for error in errors.values() if isinstance(error, NodeSilent)), None)
        if silent is not None:
            raise silent
        first = next(iter(tables.values()))
        if errors or any(_sizes(table) != _sizes(first) for table in tables.values()):
            raise _differing(asked, tables, errors)
        if all(table.files == first.files for table in tables.values()):
            return first
        return replace(first, files=tuple(replace(file, mtime_ns=0) for file in first.files))

    def _of_a_worker(self, table: FileTable) -> TableStatistics:
        found = self._ask_statistics(table, ())
        names = tuple(table.schema.names)
        return TableStatistics(found.rows, found.bytes, LazyColumns(names, lambda name: self._column(table, name)))

    def _column(self, table: FileTable, name: str) -> ColumnStatistics:
        found = self._ask_statistics(table, (name,)).columns
        return found[0].column if found else ColumnStatistics()

    def _ask_statistics(self, table: FileTable, columns: tuple[str, ...]) -> Statistics:
        answer = self._answers.of_one("statistics", encode(AskStatistics(table, columns)), STATISTICS_SECONDS)
        found: Statistics = decode(answer, Statistics)
        return found


def _has_gone(error: FlightmeshError) -> bool:
    """Whether who answered with this is no worker any more; one that is merely silent may come back and see other files."""
    return isinstance(error, WorkerLost) or (isinstance(error, NodeUnavailable) and not isinstance(error, NodeSilent))


def _sizes(table: FileTable) -> list[tuple[str, int]]:
    return [(file.path, file.size) for file in table.files]


def _differing(asked: LookUp, tables: dict[str, FileTable], errors: dict[str, FlightmeshError]) -> InvalidInput:
    """What each group of workers sees."""
    seen: dict[str, list[str]] = {}
    for name, table in tables.items():
        size = format_bytes(sum(file.size for file in table.files))
        files = "1 file" if len(table.files) == 1 else f"{len(table.files)} files"
        seen.setdefault(f"{files}, {size}: {_odd(table, tables)}" if _odd(table, tables) else f"{files}, {size}", []).append(
            name
        )
    for name, error in errors.items():
        seen.setdefault(error.message, []).append(name)
    views = "; ".join(f"{', '.join(names)}: {view}" for view, names in seen.items())
    return InvalidInput(
        f"the workers do not see the same files in {', '.join(asked.paths)} ({views})",
        hint="put the same files on every node, or on storage that all of them share",
    )


def _odd(table: FileTable, tables: dict[str, FileTable]) -> str:
    """The first file of a table that not all others have with this size."""
    for file in table.files:
        if not all((file.path, file.size) in _sizes(other) for other in tables.values()):
            return f"{file.path} has {file.size:,} bytes"
    return ""

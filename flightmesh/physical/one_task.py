"""What is worth one task only: small tables, few rows.

Handed a table or an estimate; hands on whether a second task would cost more than it saves. What always holds: nothing is,
where the user has fixed the partitions; and what lies elsewhere (at nodes that serve it, in an object store) is read by a stage
of its own, so that it is read where it lies, or while other stages read theirs.
"""

from __future__ import annotations

from flightmesh.catalog.table import FileTable, Storage, Table
from flightmesh.config import Config

SMALL_SCAN_BYTES = 2 * 1024 * 1024
SMALL_SCAN_ROWS = 20_000
SMALL_EDGE_ROWS = 20_000


def is_few(rows: float | None, config: Config) -> bool:
    """Whether so many rows, as far as that is known, are worth one task."""
    return config.partitions is None and rows is not None and rows < SMALL_EDGE_ROWS


def is_small(table: Table) -> bool:
    """Whether a table is read by one task at each place where it lies, unless something else is read beside it."""
    if isinstance(table, FileTable):
        return sum(file.size for file in table.files) < SMALL_SCAN_BYTES
    return table.rows < SMALL_SCAN_ROWS


def is_at_hand(table: Table, config: Config) -> bool:
    """Whether a table is small and may be read by the one task that needs its rows, one table after the other."""
    if config.partitions is not None or not is_small(table):
        return False
    return not isinstance(table, FileTable) or table.storage == Storage()


def places(table: Table) -> int:
    """Tasks that it takes to read each file where it lies."""
    files = table.files if isinstance(table, FileTable) else ()
    return max(1, len({file.holders for file in files}))

"""Reads rows of a table that lie at another worker: of its part of a table in memory, or of a file that it serves.

Handed a split and its columns; hands on batches. What always holds: the thread that waits holds no slot, a cancel ends the
stream at once, and fewer rows than the split is known to have are an error that names the peer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pyarrow as pa

from flightmesh.catalog.scan import ROWS_COLUMN
from flightmesh.catalog.table import FileSplit, FileTable, MemorySplit, MemoryTable, Split, Table
from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError, StreamBroken, WorkerLost
from flightmesh.exchange.log import Blocked
from flightmesh.ids import WorkerId
from flightmesh.protocol.tickets import TICKET_BYTES, FileTicket, TableTicket
from flightmesh.runtime.fetcher import broken
from flightmesh.runtime.local_files import alone
from flightmesh.runtime.reach import Reach
from flightmesh.transport.peers import StreamIn

_NAMES_BYTES = TICKET_BYTES // 2
"""Column names longer than this do not go with a ticket: all columns come."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows at another worker: its ticket, where that listens, the columns that are wanted, the rows if they are known."""

    table: str
    ticket: TableTicket | FileTicket
    address: str
    columns: tuple[str, ...]
    rows: int | None


def part_elsewhere(here: WorkerId, table: Table, split: Split, columns: tuple[str, ...]) -> Part | None:
    """How to fetch the rows of a split; None for one that is read here. Raises WorkerLost for one that nobody holds."""
    match table, split:
        case MemoryTable(), MemorySplit(holder=str() as holder) if holder != here:
            if split.address is None:
                raise InternalError(f"a split of table {table.name} does not say where it is")
            ticket = TableTicket(WorkerId(holder), table.key, split.offset, split.rows, _named(columns))
            return Part(table.name, ticket, split.address, columns, split.rows)
        case FileTable(is_served=True), FileSplit() if here not in split.holders:
            held = next((holder for holder in table.holders if holder.worker in split.holders), None)
            if held is None:
                raise WorkerLost(f"no worker serves {table.files[split.file].path} of table {table.name} any more")
            own, share = alone(table, split)
            return Part(table.name, FileTicket(WorkerId(held.worker), own, share, columns), held.address, columns, split.rows)
        case _:
            return None


class PartReader:
    """One split. `cancel` may be called from any thread."""

    def __init__(self, reach: Reach, part: Part) -> None:
        self._reach = reach
        self._part = part
        self._stream: StreamIn | None = None
        self._lock = threading.Lock()
        self._is_cancelled = False

    def batches(self, check: Callable[[], None], blocked: Blocked) -> Iterator[pa.RecordBatch]:
        """The rows. `check` may raise."""
        part = self._part
        if not part.columns and part.rows is not None:
            yield pa.RecordBatch.from_arrays([pa.repeat(pa.scalar(0, pa.int8()), part.rows)], names=[ROWS_COLUMN])
            return
        rows = 0
        try:
            while (batch := self._fetch(check, blocked)) is not None:
                rows += batch.num_rows
                yield batch.select(list(part.columns) or [ROWS_COLUMN])
        finally:
            self.cancel()
        if part.rows is not None and rows != part.rows:
            raise StreamBroken(f"{self._what} ({part.address}) gave {rows} rows of {part.rows}")

    def cancel(self) -> None:
        """Ends the stream. Repeating it is harmless."""
        with self._lock:
            self._is_cancelled = True
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()

    @property
    def _what(self) -> str:
        return f"table {self._part.table} at worker {self._part.ticket.worker}"

    def _fetch(self, check: Callable[[], None], blocked: Blocked) -> pa.RecordBatch | None:
        try:
            with blocked():
                got = self._opened().next()
        except Exception as failure:
            check()  # a stream that was cancelled fails: say why
            raise broken(failure, self._what, self._part.address) from None
        check()
        return None if got is None else got[0]

    def _opened(self) -> StreamIn:
        with self._lock:
            stream = self._stream
        if stream is not None:
            return stream
        stream = self._reach.peers.get(self._part.address, self._reach.sign(self._part.ticket))
        with self._lock:
            self._stream = stream
            cancelled = self._is_cancelled
        if cancelled:
            stream.cancel()
        return stream


def _named(columns: tuple[str, ...]) -> tuple[str, ...]:
    return columns if sum(len(name.encode()) + 8 for name in columns) <= _NAMES_BYTES else ()

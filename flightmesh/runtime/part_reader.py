"""Reads rows of a table in memory that lie at another worker.

Handed a split and its columns; hands on batches. What always holds: the thread that waits holds no slot, a cancel ends the
stream at once, and fewer rows than the split has are an error that names the peer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pyarrow as pa

from flightmesh.catalog.scan import ROWS_COLUMN
from flightmesh.catalog.table import MemorySplit, MemoryTable
from flightmesh.errors import InternalError, StreamBroken
from flightmesh.exchange.log import Blocked
from flightmesh.ids import WorkerId
from flightmesh.protocol.tickets import TICKET_BYTES, TableTicket
from flightmesh.runtime.fetcher import broken
from flightmesh.runtime.reach import Reach
from flightmesh.transport.peers import StreamIn

_NAMES_BYTES = TICKET_BYTES // 2
"""Column names longer than this do not go with a ticket: all columns come."""


class PartReader:
    """One split. `cancel` may be called from any thread."""

    def __init__(self, reach: Reach, table: MemoryTable, split: MemorySplit, columns: tuple[str, ...]) -> None:
        if split.holder is None or split.address is None:
            raise InternalError(f"a split of table {table.name} does not say where it is")
        named = columns if sum(len(name.encode()) + 8 for name in columns) <= _NAMES_BYTES else ()
        self._ticket = TableTicket(WorkerId(split.holder), table.key, split.offset, split.rows, named)
        self._address = split.address
        self._reach = reach
        self._table = table
        self._split = split
        self._columns = columns
        self._stream: StreamIn | None = None
        self._lock = threading.Lock()
        self._is_cancelled = False

    def batches(self, check: Callable[[], None], blocked: Blocked) -> Iterator[pa.RecordBatch]:
        """The rows. `check` may raise."""
        if not self._columns:
            yield pa.RecordBatch.from_arrays([pa.repeat(pa.scalar(0, pa.int8()), self._split.rows)], names=[ROWS_COLUMN])
            return
        rows = 0
        try:
            while (batch := self._fetch(check, blocked)) is not None:
                rows += batch.num_rows
                yield batch.select(list(self._columns))
        finally:
            self.cancel()
        if rows != self._split.rows:
            raise StreamBroken(f"{self._what} ({self._address}) gave {rows} rows of {self._split.rows}")

    def cancel(self) -> None:
        """Ends the stream. Repeating it is harmless."""
        with self._lock:
            self._is_cancelled = True
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.cancel()

    @property
    def _what(self) -> str:
        return f"table {self._table.name} at worker {self._ticket.worker}"

    def _fetch(self, check: Callable[[], None], blocked: Blocked) -> pa.RecordBatch | None:
        try:
            with blocked():
                got = self._opened().next()
        except Exception as failure:
            check()  # a stream that was cancelled fails: say why
            raise broken(failure, self._what, self._address) from None
        check()
        return None if got is None else got[0]

    def _opened(self) -> StreamIn:
        with self._lock:
            stream = self._stream
        if stream is not None:
            return stream
        stream = self._reach.peers.get(self._address, self._reach.sign(self._ticket))
        with self._lock:
            self._stream = stream
            cancelled = self._is_cancelled
        if cancelled:
            stream.cancel()
        return stream

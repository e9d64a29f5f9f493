"""Rows that a driver itself holds for a while: answers of statements without a job, or rows that it makes when they are read.

Handed a schema and a way to make the rows; hands on a ticket, and the rows for it. What always holds: rows are made once,
however often they are read; what nobody reads is dropped after a time.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import field

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import UnknownJob
from flightmesh.node.attending import attending
from flightmesh.protocol.tickets import HeldTicket, sign
from flightmesh.transport.service import Call, OutStream

MOST = 1000


@dataclass(slots=True)
class _Held:
    schema: pa.Schema
    make: Callable[[], pa.Table]
    until: float
    table: pa.Table | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class HeldRows:
    """Any thread may call. `seconds`: how long rows that nobody reads stay."""

    def __init__(self, key: bytes, seconds: float) -> None:
        self._key = key
        self.seconds = seconds
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()

    def hold(self, schema: pa.Schema, make: Callable[[], pa.Table]) -> bytes:
        """The ticket of rows that `make` gives when they are first read."""
        name = secrets.token_hex(16)
        now = time.monotonic()
        with self._lock:
            for old in [key for key, held in self._held.items() if held.until < now]:
                del self._held[old]
            while len(self._held) >= MOST:
                del self._held[next(iter(self._held))]
            self._held[name] = _Held(schema, make, now + self.seconds)
        return sign(HeldTicket(name), self._key)

    def read(self, ticket: HeldTicket, call: Call) -> OutStream:
        """The rows, made for `call` if they are not there yet. Raises UnknownJob when they are not there any more."""
        with self._lock:
            held = self._held.get(ticket.name)
        if held is None or held.until < time.monotonic():
            raise UnknownJob("these rows are not kept any more", hint="run the statement again")
        return OutStream(held.schema, self._rows(held, call), lambda: None)

    def _rows(self, held: _Held, call: Call) -> Iterator[tuple[pa.RecordBatch, bytes]]:
        with held.lock:
            if held.table is None:
                with attending(call):
                    held.table = held.make()
            table = held.table
        for batch in table.to_batches():
            yield batch, b""

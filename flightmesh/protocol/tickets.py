"""Tickets: what a reader shows for a stream. Signed by the mesh's key, so that nobody reads what was not meant for it.

Handed a ticket and the key; hands on bytes, and the equal ticket back. What always holds: bytes that this key did not sign
raise InvalidTicket and nothing else, in time that does not tell how much of the signature was right.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TypeAlias

from flightmesh.catalog.table import FileSplit, FileTable
from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidMessage, InvalidTicket
from flightmesh.ids import AttemptId, EdgeId, JobId, WorkerId
from flightmesh.protocol.codec import decode, encode

MAC_BYTES = 16
TICKET_BYTES = 262_144
"""Longer ones are refused unread."""


@dataclass(frozen=True, slots=True)
class ExchangeTicket:
    """Buckets `first` up to `last` of an edge at worker `worker`, for the attempt `reader`; with `producer`, only what tasks of
    that index wrote. Also the descriptor of a put: there `worker` is the reader's."""

    job: JobId
    edge: EdgeId
    worker: WorkerId
    first: int
    last: int
    reader: AttemptId
    producer: int | None = None
    sender: WorkerId | None = None


@dataclass(frozen=True, slots=True)
class ResultTicket:
    """One partition of a job's result: what task `partition` of the last stage gives. `nonce` makes it unguessable even to who
    knows other tickets of this mesh."""

    job: JobId
    partition: int
    nonce: bytes


@dataclass(frozen=True, slots=True)
class TableTicket:
    """Rows `offset` up to `offset + rows` of the table in memory under `key` at worker `worker`: `columns` of it, in that order
    (none named: all)."""

    worker: WorkerId
    key: str
    offset: int
    rows: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileTicket:
    """The rows of `split`, which is of the one file of `table`, a table that worker `worker` serves: the columns `columns`, in
    that order."""

    worker: WorkerId
    table: FileTable
    split: FileSplit
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldTicket:
    """Rows that the driver itself holds for a while under an unguessable name: what a statement without a job answers."""

    name: str


Ticket: TypeAlias = ExchangeTicket | ResultTicket | TableTicket | FileTicket | HeldTicket


def sign(ticket: Ticket, key: bytes) -> bytes:
    """The ticket as bytes: 16 of HMAC-SHA256, then msgpack."""
    body = encode(ticket, Ticket)
    return _mac(body, key) + body


def read_ticket(data: bytes, key: bytes) -> Ticket:
    """The ticket that `sign` wrote with this key. Raises InvalidTicket."""
    body = data[MAC_BYTES:]
    if len(data) > TICKET_BYTES or not hmac.compare_digest(data[:MAC_BYTES], _mac(body, key)):
        raise InvalidTicket("this ticket was not made by this mesh", hint="ask the driver again with GetFlightInfo")
    try:
        ticket: Ticket = decode(body, Ticket)
    except InvalidMessage as error:
        raise InvalidTicket(error.message) from None
    return ticket


def _mac(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)[:MAC_BYTES]

"""What a Flight server serves, in words that are not Flight's: nodes implement `Service`, the transport alone knows
pyarrow.flight.

What always holds: every method may raise any FlightmeshError, which crosses typed; anything else crosses as an InternalError
without a traceback. Methods run on gRPC's threads, one a call: they post events and move bytes, and while they wait they look
at `call.is_cancelled()` at least every 100 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Protocol

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidMessage


class Call(Protocol):
    """One call of a client: who it is and whether it is still there."""

    peer: str
    headers: Mapping[str, str]
    identity: str
    """The node id in the caller's certificate; empty where it showed none."""

    def is_cancelled(self) -> bool:
        """Whether the caller has gone."""


@dataclass(frozen=True, slots=True)
class ActionKind:
    """An action that a listener knows: its name and what `list_actions` says of it."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class OutStream:
    """Rows on their way out: batches, each with its metadata (b"" for none). `close` is called once, when the stream has
    ended, however it did."""

    schema: pa.Schema
    batches: Iterator[tuple[pa.RecordBatch, bytes]]
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class InStream:
    """Rows on their way in. `columns`: their schema; None, and no batches, where the sender sent a descriptor and nothing else.
    `acknowledge` writes metadata back to the sender."""

    columns: pa.Schema | None
    batches: Iterator[tuple[pa.RecordBatch | None, bytes]]
    acknowledge: Callable[[bytes], None]

    @property
    def schema(self) -> pa.Schema:
        """The schema of the rows. Raises InvalidMessage where there is none."""
        if self.columns is None:
            raise InvalidMessage("this put has no schema and no rows")
        return self.columns


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one partition of a result is. `location` None: at the server that was asked. `expires`: seconds since the epoch."""

    ticket: bytes
    location: str | None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """The answer to GetFlightInfo. -1 rows or size (bytes): unknown."""

    schema: pa.Schema
    endpoints: tuple[Endpoint, ...]
    ordered: bool
    command: bytes = b""
    path: tuple[str, ...] = ()
    rows: int = -1
    size: int = -1
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class Asked:
    """A Flight descriptor: a command, or a path."""

    command: bytes | None = None
    path: tuple[str, ...] = field(default=())


class Service(Protocol):
    """What one listener of a node answers. What it does not offer raises UnsupportedFeature."""

    def actions(self) -> tuple[ActionKind, ...]:
        """The actions of this listener."""

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        """Carries out an action; its answers."""

    def get(self, ticket: bytes, call: Call) -> OutStream:
        """DoGet."""

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        """DoPut. Returns when everything has been taken."""

    def info(self, asked: Asked, call: Call) -> Info:
        """GetFlightInfo."""

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        """GetSchema."""

    def list(self, call: Call) -> Iterable[Info]:
        """ListFlights."""

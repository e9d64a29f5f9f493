"""How one node reaches another: calls, streams of batches in and out, lines. Protocols, so that the data plane runs
over Flight (`flight_peers`), or over a test's own network.

What always holds: errors are FlightmeshErrors (NodeUnavailable when nobody answers, StreamBroken when a stream ends before its
END, else what the peer raised); `cancel` may be called from any thread and wakes who waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pyarrow as pa


class StreamIn(Protocol):
    """Batches of a peer, by DoGet."""

    @property
    def schema(self) -> pa.Schema:
        """The batches' schema. May have to be waited for; raises as `next` does."""

    def next(self) -> tuple[pa.RecordBatch, bytes] | None:
        """The next batch and its metadata, waited for; None at the stream's end. An END frame comes as an empty batch."""

    def cancel(self) -> None:
        """Ends the stream now."""


class StreamOut(Protocol):
    """Batches to a peer, by DoPut."""

    def write(self, batch: pa.RecordBatch, metadata: bytes) -> None:
        """Sends one batch."""

    def acknowledged(self) -> bytes | None:
        """The next metadata that the receiver wrote, waited for; None at the end."""

    def finish(self) -> None:
        """Says that nothing more comes, and waits until the receiver has taken everything."""

    def cancel(self) -> None:
        """Ends the stream now."""


class Line(Protocol):
    """An action asked of a peer again and again, by DoExchange. Any thread may call."""

    def write(self, body: bytes, wants_answer: bool) -> bool:
        """Sends a body; false where it cannot go along this line, or the line has ended."""

    def cancel(self) -> None:
        """Ends the line now."""


class Peers(Protocol):
    """All other nodes, by URI. Connections are kept and shared. Any thread may call."""

    def call(self, address: str, action: str, body: bytes, seconds: float) -> list[bytes]:
        """The answers to an action, within a deadline."""

    def get(self, address: str, ticket: bytes) -> StreamIn:
        """Opens a stream. May return before the peer has anything to send."""

    def put(self, address: str, command: bytes, schema: pa.Schema) -> StreamOut:
        """Opens a stream to a peer."""

    def line(
        self, address: str, action: str, hello: bytes, on_answer: Callable[[bytes], None], on_end: Callable[[], None]
    ) -> Line:
        """Opens a line. Returns at once: it is open when `hello` has been answered, and has ended, or could not be opened, when
        `on_end` is called; both are called on a thread of the line's."""

    def forget(self, address: str) -> None:
        """Lets go of the connections to a node that is gone."""

    def close(self) -> None:
        """Ends every connection."""

"""Rows through a Flight server: out of a service's OutStream, into its InStream.

Handed the two streams; hands on what pyarrow asks for. What always holds: an OutStream is closed exactly once, however its
stream ended, also when the client had gone before the first row; a stream that ends because its node closes ends in
StreamBroken, so a clean end means that all was sent; a put whose client went away before it had finished raises StreamBroken
or Cancelled.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight

from flightmesh.errors import Cancelled, FlightmeshError, InternalError, InvalidMessage, StreamBroken
from flightmesh.transport.flight_calls import FlightCall, Traffic
from flightmesh.transport.flight_errors import FLIGHT_FAILURES, to_flight
from flightmesh.transport.flight_values import aligned
from flightmesh.transport.service import InStream, OutStream

LOG = logging.getLogger(__name__)

CANCEL = b"cancel"
"""Metadata without a batch by which a putting client says that it gives up: Flight itself shows a dropped put as one that
ended."""

_NOTHING_SENT = "never sent a data message"
"""What Flight says of a put that is a descriptor alone, as clients of Flight SQL send statements that give no rows."""


def internal(error: Exception) -> InternalError:
    """What a peer is told of a failure that is no FlightmeshError; the log keeps where it happened."""
    LOG.error("a call failed", exc_info=error)
    return InternalError((f"{type(error).__name__}: {error}".splitlines() or [""])[0], hint="please report this")


def closing() -> StreamBroken:
    """What ends a stream of a node that closes."""
    return StreamBroken("this node is closing: the stream ends before its end", hint="run the query again")


class OutgoingRows:
    """The iterator that a GeneratorStream pulls. Not a generator: one that was never started would not run its `finally`."""

    def __init__(self, stream: OutStream, call: FlightCall, traffic: Traffic) -> None:
        self._stream = stream
        self._call = call
        self._traffic = traffic
        self._open = True
        traffic.opened()

    def __iter__(self) -> OutgoingRows:
        return self

    def __next__(self) -> Any:
        try:
            batch, metadata = self._next()
        except StopIteration:
            self.finish()
            raise
        except FlightmeshError as error:
            failure = to_flight(error)
        except Exception as error:
            failure = to_flight(internal(error))
        else:
            return (batch, metadata) if metadata else batch
        self.finish()
        raise failure

    def _next(self) -> tuple[pa.RecordBatch, bytes]:
        try:
            batch, metadata = next(self._stream.batches)
        except StopIteration:
            if self._call.closing:
                raise closing() from None
            raise
        except Cancelled:
            if self._call.closing:
                raise closing() from None
            raise
        if not batch.schema.equals(self._stream.schema):
            raise InternalError(f"a batch of columns {batch.schema.names} came on a stream of {self._stream.schema.names}")
        self._traffic.sent(batch.nbytes)
        return batch, metadata

    def finish(self) -> None:
        """Ends the stream, once."""
        if not self._open:
            return
        self._open = False
        try:
            end = getattr(self._stream.batches, "close", None)
            with contextlib.ExitStack() as both:
                both.callback(self._stream.close)
                if end is not None:
                    end()
        except Exception as error:
            LOG.error("a stream's end failed", exc_info=error)
        finally:
            self._call.end()
            self._traffic.ended()

    def __del__(self) -> None:
        self.finish()


def outgoing(stream: OutStream, call: FlightCall, traffic: Traffic) -> flight.FlightDataStream:
    """What `do_get` returns."""
    rows = OutgoingRows(stream, call, traffic)
    return flight.GeneratorStream(stream.schema, rows)


def incoming(reader: Any, writer: Any, call: FlightCall, traffic: Traffic) -> InStream:
    """What `Service.put` is handed."""
    try:
        schema = reader.schema
    except (*FLIGHT_FAILURES, StopIteration) as error:
        if _NOTHING_SENT not in str(error):
            raise InvalidMessage(f"what {call.peer} sent has no schema: {_line(error)}") from None
        return InStream(None, iter(()), _acknowledge(writer))
    return InStream(schema, _chunks(reader, call, traffic), _acknowledge(writer))


def _chunks(reader: Any, call: FlightCall, traffic: Traffic) -> Iterator[tuple[pa.RecordBatch | None, bytes]]:
    while True:
        try:
            chunk = reader.read_chunk()
        except StopIteration:
            if call.is_cancelled():
                raise StreamBroken("the sender went away before it had finished") from None
            return
        except FLIGHT_FAILURES as error:
            raise StreamBroken(f"what {call.peer} sent cannot be read: {_line(error)}") from None
        metadata = chunk.app_metadata.to_pybytes() if chunk.app_metadata is not None else b""
        if chunk.data is None and metadata == CANCEL:
            raise Cancelled("the sender gave up")
        if chunk.data is not None:
            traffic.received(chunk.data.nbytes)
        yield (None if chunk.data is None else aligned(chunk.data)), metadata


def _acknowledge(writer: Any) -> Callable[[bytes], None]:
    def write(metadata: bytes) -> None:
        try:
            writer.write(metadata)
        except FLIGHT_FAILURES as error:
            raise StreamBroken(f"the sender cannot be answered: {_line(error)}") from None

    return write


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]

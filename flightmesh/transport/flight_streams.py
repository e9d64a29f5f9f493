"""Streams between nodes, at the end that asked for them.

Handed a Flight client; hands on a `StreamIn` or a `StreamOut`. What always holds: `cancel` wakes whoever waits at once, also
when the peer is stopped and gRPC would wait for ever: what can hang runs on a thread of the stream's own (opening a get; all
of a put), which is left behind until the peer's connection ends. Errors: the peer's own; NodeUnavailable (NodeRefused) where
the stream did not begin; StreamBroken where it did; Cancelled after `cancel`.
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from flightmesh.errors import Cancelled, FlightmeshError, StreamBroken
from flightmesh.transport.flight_errors import FLIGHT_FAILURES, from_call, from_stream, is_unheard
from flightmesh.transport.flight_rows import CANCEL

FAILURES = (*FLIGHT_FAILURES, ValueError, RuntimeError)
"""With what pyarrow raises for a stream that another thread has ended."""


class FlightStreamIn:
    """Batches of a peer. One thread reads; any may cancel. `pauses`: seconds after which to open it again where the peer did
    not hear of it, each once."""

    def __init__(self, address: str, open_reader: Callable[[], Any], pauses: tuple[float, ...] = ()) -> None:
        self._address = address
        self._pauses = pauses
        self._changed = threading.Condition()
        self._reader: Any = None
        self._schema: pa.Schema | None = None
        self._failure: FlightmeshError | None = None
        self._cancelled = False
        threading.Thread(target=self._open, args=(open_reader,), name=f"get-{address}", daemon=True).start()

    @property
    def schema(self) -> pa.Schema:
        """The stream's schema, waited for."""
        self._wait_open()
        return self._schema

    def next(self) -> tuple[pa.RecordBatch, bytes] | None:
        """The next batch and its metadata; None at the stream's end."""
        reader = self._wait_open()
        if reader is None:
            return None
        try:
            chunk = reader.read_chunk()
        except StopIteration:
            failure: FlightmeshError | None = self._gone() if self._cancelled else None
        except FAILURES as error:
            failure = self._gone() if self._cancelled else from_stream(error, self._address)
        else:
            metadata = chunk.app_metadata.to_pybytes() if chunk.app_metadata is not None else b""
            batch = chunk.data if chunk.data is not None else pa.RecordBatch.from_pylist([], schema=self._schema)
            return batch, metadata
        self._let_go(failure)
        if failure is not None:
            raise failure
        return None

    def cancel(self) -> None:
        """Ends the stream now."""
        with self._changed:
            self._cancelled = True
            reader, self._reader = self._reader, None
            self._changed.notify_all()
        if reader is not None:
            reader.cancel()

    def _wait_open(self) -> Any:
        """The reader; None once the stream has ended well."""
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._schema is not None or self._failure is not None)
            if self._cancelled:
                raise self._gone()
            if self._failure is not None:
                raise self._failure
            return self._reader

    def _let_go(self, failure: FlightmeshError | None) -> None:
        """The stream is over: Flight's reader, which would keep its connection open, is not kept."""
        with self._changed:
            self._failure = failure
            self._reader = None

    def _open(self, open_reader: Callable[[], Any]) -> None:
        for pause in (*self._pauses, None):
            reader, schema, failure, unheard = None, None, None, False
            try:
                reader = open_reader()
                schema = reader.schema
            except FAILURES as error:
                failure, unheard = from_call(error, self._address), is_unheard(error)
            if pause is None or not unheard or self._cancelled:
                break
            time.sleep(pause)
        with self._changed:
            late = self._cancelled
            self._schema, self._failure = schema, failure
            self._reader = None if late or failure is not None else reader
            self._changed.notify_all()
        if late and reader is not None:
            reader.cancel()

    def _gone(self) -> Cancelled:
        return Cancelled(f"the stream from {self._address} was given up")


class FlightStreamOut:
    """Batches to a peer. One thread writes, another may take the acknowledgements, any may cancel."""

    def __init__(self, address: str, open_put: Callable[[], tuple[Any, Any]]) -> None:
        self._address = address
        self._changed = threading.Condition()
        self._queue: collections.deque[tuple[pa.RecordBatch | None, bytes]] = collections.deque()
        self._acks: collections.deque[bytes] = collections.deque()
        self._acks_ended = False
        self._ended = False
        self._finishing = False
        self._told = False
        self._cancelled = False
        self._failure: FlightmeshError | None = None
        threading.Thread(target=self._run, args=(open_put,), name=f"put-{address}", daemon=True).start()

    def write(self, batch: pa.RecordBatch, metadata: bytes) -> None:
        """Sends one batch; waits while the one before it is still on its way."""
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._ended or not self._queue)
            self._check()
            if self._ended:
                raise StreamBroken(f"{self._address} takes no more of this stream")
            self._queue.append((batch, metadata))
            self._changed.notify_all()

    def acknowledged(self) -> bytes | None:
        """The next metadata that the receiver wrote; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._acks or self._ended)
            if self._acks and not self._cancelled:
                return self._acks.popleft()
            self._check()
            return None

    def finish(self) -> None:
        """Says that nothing more comes, and waits until the receiver has taken everything."""
        with self._changed:
            self._finishing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._cancelled or self._ended)
            self._check()

    def cancel(self) -> None:
        """Ends the stream now. The receiver is told that what came is not the whole."""
        with self._changed:
            self._cancelled = True
            self._queue.clear()
            self._changed.notify_all()

    def _check(self) -> None:
        if self._cancelled:
            raise Cancelled(f"the stream to {self._address} was given up")
        if self._failure is not None:
            raise self._failure

    def _run(self, open_put: Callable[[], tuple[Any, Any]]) -> None:
        failure: FlightmeshError | None = None
        try:
            writer, reader = open_put()
        except FAILURES as error:
            failure = from_call(error, self._address)
        if failure is None:
            taker = threading.Thread(target=self._take, args=(reader,), name=f"acks-{self._address}", daemon=True)
            taker.start()
            failure = self._send(writer, taker)
        with self._changed:
            self._failure = failure
            self._ended = self._acks_ended = True
            self._changed.notify_all()

    def _send(self, writer: Any, taker: threading.Thread) -> FlightmeshError | None:
        """Writes what is queued until the stream is finished, cancelled or broken; what broke it."""
        broken: FlightmeshError | None = None
        try:
            while (entry := self._entry()) is not None:
                batch, metadata = entry
                if batch is None:
                    writer.write_metadata(metadata)
                else:
                    writer.write_with_metadata(batch, metadata)
            writer.done_writing()
        except FAILURES as error:
            broken = from_stream(error, self._address)
        taker.join()
        try:
            writer.close()
        except FAILURES as error:
            return from_stream(error, self._address)
        return broken

    def _entry(self) -> tuple[pa.RecordBatch | None, bytes] | None:
        """What to write next; None when there is nothing more."""
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._queue or self._finishing or self._acks_ended)
            if self._cancelled:
                told, self._told = self._told, True
                return None if told else (None, CANCEL)
            if not self._queue:
                return None
            entry = self._queue.popleft()
            self._changed.notify_all()
            return entry

    def _take(self, reader: Any) -> None:
        """Reads acknowledgements until the receiver writes no more."""
        try:
            while (ack := reader.read()) is not None:
                with self._changed:
                    self._acks.append(ack.to_pybytes())
                    self._changed.notify_all()
        except FAILURES:
            pass  # the writer's close tells why
        with self._changed:
            self._acks_ended = True
            self._changed.notify_all()

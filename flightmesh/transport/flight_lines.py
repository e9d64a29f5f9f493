"""Lines: a DoExchange that stays open, along which one action is asked for again and again.

Handed bodies; hands on, at the other end, the same bodies in order, and answers to those that want one. What always holds: a
line says nothing of what went wrong: it ends, and whoever asks by a call instead hears that; `cancel` returns at once, also
where the peer is stopped and gRPC lets go of the line only with the connection; no line goes on when its listener closes or a
certificate is renewed.

A body is preceded by a byte: 1 if an answer is wanted, else 0. Answers come as they are; END comes from a node that closes or
moves on to another certificate: the other end hangs up, and may dial again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from flightmesh.errors import FlightmeshError
from flightmesh.transport.flight_errors import FLIGHT_FAILURES
from flightmesh.transport.flight_streams import FAILURES

END = b"end"
LINE_BYTES = 1024 * 1024
"""Larger bodies go by a call."""
HANG_UP_SECONDS = 0.1
_QUIET, _ANSWER = b"\0", b"\1"


class FlightLine:
    """The end that asks. `hello` is sent first, and wants an answer: the line is not open before that came. `on_answer` is
    called with each answer and `on_end` once, on the line's thread."""

    def __init__(
        self,
        address: str,
        dial: Callable[[], tuple[Any, Any]],
        hello: bytes,
        on_answer: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        self._dial = dial
        self._hello = hello
        self._on_answer = on_answer
        self._on_end = on_end
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._writer: Any = None
        self._reader: Any = None
        self._cancelled = False
        threading.Thread(target=self._run, name=f"line-{address}", daemon=True).start()

    def write(self, body: bytes, wants_answer: bool) -> bool:
        """Sends a body; false where it cannot go along this line, or the line has ended."""
        if len(body) > LINE_BYTES:
            return False
        with self._writing:
            writer = self._writer
            if writer is None:
                return False
            try:
                writer.write_metadata(pa.py_buffer((_ANSWER if wants_answer else _QUIET) + body))
            except FAILURES:
                return False
            return True

    def hang_up(self) -> None:
        """Sends nothing more: the line ends when the peer has taken what was sent; at once where it takes nothing."""
        if not self._writing.acquire(timeout=HANG_UP_SECONDS):
            self.cancel()
            return
        try:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.done_writing()
        except FAILURES:
            self.cancel()
        finally:
            self._writing.release()

    def cancel(self) -> None:
        """Ends the line now."""
        with self._lock:
            self._cancelled = True
            reader = self._reader
        if reader is not None:
            reader.cancel()

    def _run(self) -> None:
        try:
            writer, reader = self._dial()
        except FAILURES:
            self._on_end()
            return
        with self._lock:
            self._reader = reader
            late = self._cancelled
        if late:
            reader.cancel()
        with self._writing:
            self._writer = writer
        if self.write(self._hello, wants_answer=True):
            self._listen(reader)
        else:
            reader.cancel()
        with self._writing:
            self._writer = None
        with self._lock:
            self._reader = None
        self._on_end()
        with contextlib.suppress(*FAILURES):  # why it ended is told to who asks by a call
            writer.close()

    def _listen(self, reader: Any) -> None:
        """Takes answers until the line ends."""
        while True:
            try:
                chunk = reader.read_chunk()
            except (StopIteration, *FAILURES):
                return
            answer = chunk.app_metadata.to_pybytes() if chunk.app_metadata is not None else b""
            if answer == END:
                self.hang_up()
            else:
                try:
                    self._on_answer(answer)
                except FlightmeshError:  # no answer of this kind of peer
                    self.cancel()
                    return


class Lines:
    """The lines that are open at a listener. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[_Answering] = set()

    def serve(self, reader: Any, writer: Any, answer: Callable[[bytes], bytes], may_go_on: Callable[[], bool]) -> None:
        """Takes bodies until the caller hangs up, or has gone. Raises what `answer` raises. `may_go_on`: whether the node takes
        calls; looked at once the line can be told to end."""
        line = _Answering(writer)
        with self._lock:
            self._open.add(line)
        try:
            if not may_go_on():
                line.end()
            while (body := _read(reader)) is not None:
                answered = answer(body[1:])
                if body[:1] == _ANSWER:
                    line.write(answered)
        finally:
            with self._lock:
                self._open.discard(line)
            line.forget()

    def ending(self) -> Callable[[], None]:
        """What asks the callers of now to hang up. It may have to wait for one that does not read."""
        with self._lock:
            lines = tuple(self._open)

        def end() -> None:
            for line in lines:
                line.end()

        return end


class _Answering:
    """The end that answers: two threads write, the line's own and one that ends it; none once the call is over, when Flight
    frees the writer."""

    def __init__(self, writer: Any) -> None:
        self._writer: Any = writer
        self._lock = threading.Lock()

    def write(self, answer: bytes) -> None:
        with self._lock, contextlib.suppress(*FLIGHT_FAILURES):  # that the caller has gone, reading tells too
            if self._writer is not None:
                self._writer.write_metadata(pa.py_buffer(answer))

    def end(self) -> None:
        self.write(END)

    def forget(self) -> None:
        """The call is over."""
        with self._lock:
            self._writer = None


def _read(reader: Any) -> bytes | None:
    """The next body; None when the caller has hung up or is gone."""
    try:
        chunk = reader.read_chunk()
    except (StopIteration, *FLIGHT_FAILURES):
        return None
    return b"" if chunk.app_metadata is None else bytes(chunk.app_metadata.to_pybytes())

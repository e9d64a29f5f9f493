"""Calls as a service sees them, and the count of what a listener has open.

Handed the contexts of a Flight server; hands on `Call`s. What always holds: a call that has ended is never asked again of
gRPC, and one whose node is closing is cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pyarrow.flight as flight

HEADERS = "headers"


class HeaderMiddleware(flight.ServerMiddleware):  # type: ignore[misc]
    """Keeps the headers of one call."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self.headers = headers


class HeaderFactory(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Takes the headers of every call: the first value of each, as text."""

    def start_call(self, info: Any, headers: Mapping[str, list[str | bytes]]) -> HeaderMiddleware:
        """The middleware of one call."""
        return HeaderMiddleware({name.lower(): _text(values[0]) for name, values in headers.items() if values})


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


class FlightCall:
    """One call of a client."""

    def __init__(self, context: flight.ServerCallContext, closing: threading.Event) -> None:
        middleware = context.get_middleware(HEADERS)
        self.peer = _text(context.peer())
        self.headers: Mapping[str, str] = middleware.headers if middleware is not None else {}
        self.identity = _text(context.peer_identity())
        self._context: flight.ServerCallContext | None = context
        self._closing = closing
        self._lock = threading.Lock()

    def is_cancelled(self) -> bool:
        """Whether the caller has gone, or this node is closing. Any thread may ask."""
        with self._lock:
            return self._context is None or self._closing.is_set() or bool(self._context.is_cancelled())

    @property
    def closing(self) -> bool:
        """Whether this node is closing."""
        return self._closing.is_set()

    def end(self) -> None:
        """The call is over: its context, which gRPC is about to free, is not touched any more."""
        with self._lock:
            self._context = None


class Traffic:
    """What a listener has open and has moved. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._streams = 0
        self._calls = 0
        self.bytes_out = 0
        self.bytes_in = 0

    @property
    def streams(self) -> int:
        """Data streams open now."""
        return self._streams

    def opened(self) -> None:
        """A data stream has begun."""
        with self._lock:
            self._streams += 1

    def ended(self) -> None:
        """A data stream is over."""
        with self._lock:
            self._streams -= 1
            self._lock.notify_all()

    def sent(self, size: int) -> None:
        """`size` bytes of rows went out."""
        with self._lock:
            self.bytes_out += size

    def received(self, size: int) -> None:
        """`size` bytes of rows came in."""
        with self._lock:
            self.bytes_in += size

    def wait_idle(self, seconds: float) -> bool:
        """Whether no data stream was open within `seconds`."""
        with self._lock:
            return self._lock.wait_for(lambda: self._streams == 0, seconds)

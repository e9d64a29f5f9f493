"""Messages for one peer, on their way by a thread of their own.

Handed messages by an event loop that must not block; hands them to `send`, all that wait at once, numbered from 0. What always
holds: messages go in order; a batch that was not answered is sent again under the same numbers until it is; what the peer
refuses for good (anything but NodeUnavailable) ends the outbox, and `on_failure` is told.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from flightmesh.errors import FlightmeshError, InternalError, NodeRefused, NodeUnavailable

LOG = logging.getLogger(__name__)
M = TypeVar("M")

BATCH_MESSAGES = 500
RETRY_SECONDS = 0.1


class Outbox(Generic[M]):
    """`send(first, messages)` sends a batch and returns the number that the peer expects next. `on_failure` is called, on the
    outbox's thread, for each refused connection (NodeRefused: the batch is tried again until `close`) and once for an error
    that ends the outbox (Fenced, ...); an answer that does not come in time is only tried again."""

    def __init__(
        self,
        send: Callable[[int, tuple[M, ...]], int],
        on_failure: Callable[[FlightmeshError], None],
        name: str,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._send = send
        self._on_failure = on_failure
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()
        self._waiting: collections.deque[M] = collections.deque()
        self._first = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"outbox-{name}", daemon=True)
        self._thread.start()

    def post(self, message: M) -> None:
        """Queues a message. Never blocks; after `close`, and once the outbox has ended, it is dropped."""
        self.collect(message)
        self.wake()

    def collect(self, message: M) -> None:
        """The same, but others may come with it: it goes with the next batch, at the latest after `wake`."""
        with self._changed:
            if not self._closed:
                self._waiting.append(message)

    def wake(self) -> None:
        """Sends what has been collected."""
        with self._changed:
            if self._waiting:
                self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Whether everything posted has been heard within `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._waiting, seconds)
            return not self._waiting

    def close(self) -> None:
        """Ends the outbox at once: what was not sent is dropped. Does not wait for a call under way."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                batch = tuple(self._waiting[n] for n in range(min(len(self._waiting), BATCH_MESSAGES)))
            failure = self._try(batch)
            if failure is not None and not self._goes_on(failure):
                self.close()
                return

    def _try(self, batch: tuple[M, ...]) -> FlightmeshError | None:
        """Sends a batch and forgets what was heard of it; or what went wrong."""
        try:
            heard = self._send(self._first, batch) - self._first
        except FlightmeshError as error:
            return error
        except Exception as error:
            LOG.error("an outbox cannot send", exc_info=error)
            return InternalError(f"{type(error).__name__}: {error}")
        if not 0 < heard <= len(batch):
            return InternalError(f"{len(batch)} messages from {self._first} on were answered by {self._first + heard}")
        with self._changed:
            self._first += heard
            for _ in range(min(heard, len(self._waiting))):
                self._waiting.popleft()
            self._changed.notify_all()
        return None

    def _goes_on(self, failure: FlightmeshError) -> bool:
        """Whether the batch is tried again; waits before that."""
        if self._closed:
            return False
        if isinstance(failure, NodeRefused) or not isinstance(failure, NodeUnavailable):
            self._on_failure(failure)
        if not isinstance(failure, NodeUnavailable):
            return False
        until = time.monotonic() + self._retry_seconds
        with self._changed:
            self._changed.wait_for(lambda: self._closed, max(0.0, until - time.monotonic()))
            return not self._closed

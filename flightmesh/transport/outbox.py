"""Messages for one peer, on their way by a thread of their own.

Handed messages by an event loop that must not block; hands them to `send`, all that wait at once, numbered from 0, or writes
them to a line, where one is open. What always holds: messages go in order; what was not heard is sent again under the same
numbers until it is; what the peer refuses for good (anything but NodeUnavailable) ends the outbox, and `on_failure` is told. A
line only spares calls: what went along it is asked after now and then, and goes by `send` when it was not heard.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

from flightmesh.errors import FlightmeshError, InternalError, NodeRefused, NodeUnavailable
from flightmesh.transport.numbered_line import ANSWER_SECONDS, Dial, NumberedLine

LOG = logging.getLogger(__name__)
M = TypeVar("M")

BATCH_MESSAGES = 500
RETRY_SECONDS = 0.1


class Outbox(Generic[M]):
    """`send(first, messages)` sends a batch and returns the number that the peer expects next. `on_failure` is called, on the
    outbox's thread, for each refused connection (NodeRefused: the batch is tried again until `close`) and once for an error
    that ends the outbox (Fenced, ...); an answer that does not come in time is only tried again. `dial` opens a line, which is
    given up when it does not answer within `answer_seconds`."""

    def __init__(
        self,
        send: Callable[[int, tuple[M, ...]], int],
        on_failure: Callable[[FlightmeshError], None],
        name: str,
        retry_seconds: float = RETRY_SECONDS,
        dial: Dial[M] | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._send = send
        self._on_failure = on_failure
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()
        self._waiting: collections.deque[M] = collections.deque()
        self._first = 0
        self._closed = False
        self._line = None if dial is None else NumberedLine(dial, self._changed, self._hear, answer_seconds)
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
        if self._line is not None:
            self._line.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not (self._closed or self._has_new()):
                    self._changed.wait(None if self._line is None else self._line.patience())
                if self._closed:
                    return
            if self._line is not None and self._line.send(self._new):
                continue
            with self._changed:
                first, batch = self._first, tuple(islice(self._waiting, BATCH_MESSAGES))
            failure = self._try(first, batch) if batch else None
            if failure is not None and not self._goes_on(failure):
                self.close()
                return

    def _has_new(self) -> bool:
        """Whether there are messages that were not even written."""
        return len(self._waiting) > self._written()

    def _written(self) -> int:
        return 0 if self._line is None else self._line.written

    def _new(self) -> tuple[int, tuple[M, ...]]:
        """The messages that were not even written, and the number of the first. The lock is held."""
        written = self._written()
        return self._first + written, tuple(islice(self._waiting, written, written + BATCH_MESSAGES))

    def _hear(self, following: int) -> int:
        """The peer expects that number next; how many messages it has heard that it had not before. The lock is held."""
        heard = following - self._first
        if not 0 <= heard <= len(self._waiting):
            return 0  # said before a call was answered, or after `close`
        self._first = following
        for _ in range(heard):
            self._waiting.popleft()
        self._changed.notify_all()
        return heard

    def _try(self, first: int, batch: tuple[M, ...]) -> FlightmeshError | None:
        """Sends a batch and forgets what was heard of it; or what went wrong. More may have been heard than it has: what went
        along a line before."""
        try:
            following = self._send(first, batch)
        except FlightmeshError as error:
            return error
        except Exception as error:
            LOG.error("an outbox cannot send", exc_info=error)
            return InternalError(f"{type(error).__name__}: {error}")
        with self._changed:
            if not (first < following <= self._first + len(self._waiting) or self._closed):
                return InternalError(f"{len(batch)} messages from {first} on were answered by {following}")
            heard = self._hear(following)
            if self._line is not None:
                self._line.note_heard(heard)
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

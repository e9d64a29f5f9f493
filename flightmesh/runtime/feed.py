"""One stream of an edge on its way to one reader: a queue of entries, bounded in bytes.

Handed a peer's batches with their frames by the thread that receives them; hands them to the reader's thread. What always
holds: entries come in the order in which they were sent, none missing and none twice; a feed is whole only after an END frame
that says how many there were; past the window the receiving thread waits, or the sender does, since entries are acknowledged
when taken; all feeds of a worker share its room, and past that each holds one entry.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import FlightmeshError, InvalidMessage
from flightmesh.ids import AttemptId, EdgeId, WorkerId
from flightmesh.protocol.frames import EntryKind, Frame, read_end
from flightmesh.runtime.reach import CALL_STEP_SECONDS


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose stream it is. `producer`: only of that task's index."""

    edge: EdgeId
    worker: WorkerId
    producer: int | None

    def __str__(self) -> str:
        only = "" if self.producer is None else f", task {self.producer}"
        return f"the stream of edge {self.edge}{only} from worker {self.worker}"


@dataclass(frozen=True, slots=True)
class Arrived:
    """An entry of a peer."""

    producer: AttemptId
    batch: pa.RecordBatch
    kind: EntryKind


class Room:
    """Bytes that all feeds of a worker may hold together. Any thread may call."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        """So many bytes more are held, or (below 0) less."""
        with self._lock:
            self.used += size


class Feed:
    """The queue. One thread receives, one reads; any may close or fail it.

    `waited_ns`: how long the stream stood still because its window was full, as far as this end or the sender has told.
    """

    def __init__(self, origin: Origin, window: int, room: Room) -> None:
        self.origin = origin
        self.waited_ns = 0
        self._window = window
        self._room = room
        self._changed = threading.Condition(threading.Lock())
        self._entries: deque[Arrived] = deque()
        self._held = 0
        self._received = 0
        self._taken = 0
        self._is_complete = False
        self._is_closed = False
        self._error: FlightmeshError | None = None
        self._ring: Callable[[], None] = _nobody_listens
        self._on_close: Callable[[], None] = _nobody_listens
        self._acknowledge: Callable[[int | None], None] = _nobody_cares

    def on_news(self, ring: Callable[[], None]) -> None:
        """Calls `ring` whenever there is something to take."""
        with self._changed:
            self._ring = ring
        ring()

    def on_close(self, stop: Callable[[], None]) -> None:
        """Calls `stop` when the reader closes the feed; at once if it has."""
        with self._changed:
            self._on_close = stop
            closed = self._is_closed
        if closed:
            stop()

    def on_taken(self, acknowledge: Callable[[int | None], None]) -> None:
        """Calls `acknowledge` with the number of entries taken, whenever one is; with None when the reader wants no more."""
        with self._changed:
            self._acknowledge = acknowledge

    @property
    def held(self) -> int:
        """Bytes in the queue."""
        return self._held

    @property
    def is_complete(self) -> bool:
        """Whether the END has come."""
        return self._is_complete

    @property
    def is_closed(self) -> bool:
        """Whether the reader wants no more."""
        return self._is_closed

    @property
    def ended(self) -> bool:
        """Whether the END has come and everything before it was taken."""
        with self._changed:
            return self._is_complete and not self._entries

    def put(self, batch: pa.RecordBatch | None, metadata: bytes, gone: Callable[[], bool] | None = None) -> bool:
        """Adds what came; waits while the window is full. False when nobody wants more. `gone`: whether the caller has left."""
        frame, waited_ns = read_end(metadata)
        with self._changed:
            self._check(frame)
            if frame.kind is EntryKind.END:
                self.waited_ns += waited_ns
                self._is_complete = True
            elif batch is None:
                raise InvalidMessage(f"{self.origin} brought an entry without rows")
            else:
                self._wait_for_room(gone)
                self._received += 1
                if not self._is_closed:
                    self._entries.append(Arrived(frame.producer, batch, frame.kind))
                    self._hold(batch.nbytes)
            ring, wanted = self._ring, not self._is_closed
        ring()
        return wanted

    def fail(self, error: FlightmeshError) -> None:
        """Says that no more will come, and why. Nothing is wrong when all has come."""
        with self._changed:
            if self._is_complete or self._error is not None:
                return
            self._error = error
            self._changed.notify_all()
            ring = self._ring
        ring()

    def take(self) -> Arrived | None:
        """The next entry, if it is there. Raises the error of a feed that failed."""
        with self._changed:
            if self._is_closed:
                return None
            if self._error is not None:
                raise self._error
            if not self._entries:
                return None
            entry = self._entries.popleft()
            self._hold(-entry.batch.nbytes)
            self._taken += 1
            taken, acknowledge = self._taken, self._acknowledge
            self._changed.notify_all()
        acknowledge(taken)
        return entry

    def close(self) -> None:
        """Wants no more: lets go of what is here and of who brings it. Repeating it is harmless."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._entries.clear()
            self._hold(-self._held)
            self._changed.notify_all()
            stop, acknowledge = self._on_close, self._acknowledge
        acknowledge(None)
        stop()

    def _hold(self, size: int) -> None:
        self._held += size
        self._room.add(size)

    def _is_full(self) -> bool:
        """Whether the stream is to stand still. One entry always has room, so that no feed waits for another."""
        return self._held >= self._window or (self._held > 0 and self._room.used >= self._room.limit)

    def _wait_for_room(self, gone: Callable[[], bool] | None) -> None:
        if not self._is_full() or self._is_closed:
            return
        started = time.perf_counter_ns()
        while self._is_full() and not self._is_closed and self._error is None:
            self._changed.wait(CALL_STEP_SECONDS)
            if gone is not None and gone():
                break
        self.waited_ns += time.perf_counter_ns() - started

    def _check(self, frame: Frame) -> None:
        if self._is_complete:
            raise InvalidMessage(f"{self.origin} went on after its end")
        if frame.sequence != self._received:
            raise InvalidMessage(f"{self.origin} brought entry {frame.sequence} where {self._received} was expected")
        wrong = self.origin.producer is not None and frame.producer.task.index != self.origin.producer
        if wrong and frame.kind is not EntryKind.END:
            raise InvalidMessage(f"{self.origin} brought rows of task {frame.producer.task}")


def _nobody_listens() -> None:
    """There is no reader yet."""


def _nobody_cares(_: int | None) -> None:
    """The stream is one that is fetched: it is held back by not being read."""

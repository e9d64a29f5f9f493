"""Simulated streams of batches: from the log of one worker to a reader elsewhere, entry by entry, each late but none out of
order.

The sending end reads the real log by its real reader; at most a few entries are under way. A stream ends when its log has, or
breaks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import pyarrow as pa

from flightmesh.errors import FlightmeshError, StreamBroken
from flightmesh.exchange.log import EdgeLog, Entry
from flightmesh.protocol.frames import EntryKind
from tests.simulation.agenda import Agenda, Bell

WINDOW = 3
DELAY = 0.03


class Stream:
    """The receiving end: what has arrived. `ended`: all of it was taken; `broken`: there will not be more; `is_connected`:
    there is a sending end."""

    def __init__(self, agenda: Agenda, name: str) -> None:
        self.name = name
        self.broken: FlightmeshError | None = None
        self.is_closed = False
        self.is_connected = False
        self._agenda = agenda
        self._arrived: deque[Entry] = deque()
        self._is_complete = False
        self._ring: Callable[[], None] = _nothing
        self._on_taken: Callable[[], None] = _nothing
        self._on_close: Callable[[], None] = _nothing

    def listen(self, ring: Callable[[], None]) -> None:
        """Who is told when something has arrived."""
        self._ring = ring
        ring()

    def connect(self, on_taken: Callable[[], None], on_close: Callable[[], None]) -> None:
        """The sending end: what it hears of this one, after a while."""
        self.is_connected = True
        self._on_taken, self._on_close = on_taken, on_close
        if self.is_closed:
            self._agenda.soon(on_close, DELAY)

    @property
    def ended(self) -> bool:
        """Whether everything was taken and nothing more comes."""
        return self._is_complete and not self._arrived

    def take(self) -> Entry | None:
        """The next entry, if it is there."""
        if self.broken is not None:
            raise self.broken
        if not self._arrived:
            return None
        self._agenda.soon(self._on_taken, DELAY)
        return self._arrived.popleft()

    def close(self) -> None:
        """Wants no more."""
        if not self.is_closed:
            self.is_closed = True
            self._arrived.clear()
            self._agenda.soon(self._on_close, DELAY)

    def arrive(self, entry: Entry | None) -> None:
        """An entry has come; None is the end."""
        if self.is_closed or self.broken is not None:
            return
        if entry is None:
            self._is_complete = True
        else:
            self._arrived.append(entry)
        self._ring()

    def fail(self, error: FlightmeshError) -> None:
        """Nothing more comes, and why."""
        if not self._is_complete and self.broken is None and not self.is_closed:
            self.broken = error
            self._ring()


class Serving:
    """The sending end: a log's reader, drained into a stream as far as its window allows."""

    def __init__(self, agenda: Agenda, log: EdgeLog, buckets: range, producer: int | None, stream: Stream) -> None:
        self.is_over = False
        self.on_end: Callable[[], None] = _nothing
        self.on_drop: Callable[[], None] = _nothing
        self.is_held: Callable[[], bool] = lambda: False
        self._agenda = agenda
        self._stream = stream
        self._reader = log.reader(buckets, producer)
        self._under_way = 0
        self._last = 0.0
        self._bell = Bell(agenda, self._pump)
        self._unwatch = log.watch(self._bell.ring)
        stream.connect(self._acknowledged, self._dropped)
        self._bell.ring()

    def fail(self, error: FlightmeshError) -> None:
        """Breaks the stream: its worker is gone, or has dropped the job."""
        if not self.is_over:
            self._stop()
            self._send(lambda: self._stream.fail(error))

    def ring(self) -> None:
        """Looks again."""
        self._bell.ring()

    def _pump(self) -> None:
        if not self.is_over and self.is_held():
            self._agenda.after(0.3, self._bell.ring)
            return
        while not self.is_over and self._under_way < WINDOW:
            entry = self._reader.take()
            if entry is not None:
                self._under_way += 1
                self._send(partial(self._stream.arrive, entry))
            elif self._reader.ended:
                self._stop()
                self._send(lambda: self._stream.arrive(None))
                self.on_end()
            else:
                return

    def _send(self, action: Callable[[], None]) -> None:
        self._last = max(self._last, self._agenda.now + self._agenda.chance.uniform(0.0, DELAY))
        self._agenda.at(self._last, action)

    def _acknowledged(self) -> None:
        self._under_way -= 1
        if not self.is_over:
            self._bell.ring()

    def _dropped(self) -> None:
        if not self.is_over:
            self._stop()
            self.on_drop()

    def _stop(self) -> None:
        self.is_over = True
        self._reader.close()
        self._unwatch()


def broken(stream: Stream, why: str) -> StreamBroken:
    """The error of a stream that ended before its end."""
    return StreamBroken(f"{stream.name} ended before its end: {why}")


def rows_of(batch: pa.RecordBatch) -> list[tuple[int, int]]:
    """The rows of a batch."""
    columns = [column.to_pylist() for column in batch.columns]
    return list(zip(*columns, strict=True))


def data(entry: Entry) -> pa.RecordBatch | None:
    """The rows of an entry that has any."""
    return entry.batch if entry.kind is EntryKind.DATA else None


def _nothing() -> None:
    """Nobody listens."""

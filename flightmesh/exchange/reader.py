"""One reader's way through buckets of an edge's log: entries as they come, from memory and disk alike.

Handed a log; hands on its entries, of each bucket in the order in which they came. What always holds: after the seal only the
winners' entries are given, and rows that were read of another attempt before it are an error; reading from disk holds no lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.exchange.entries import Entry, Kept
from flightmesh.ids import AttemptId
from flightmesh.protocol.frames import EntryKind

if TYPE_CHECKING:
    from flightmesh.exchange.log import Blocked, EdgeLog


class LogReader:
    """One reader's place in a log. Used by one thread at a time. `rows` counts what it was given, `disk_bytes` what of it came
    from disk; `ended`: there is nothing more and nothing will come."""

    def __init__(self, log: EdgeLog, buckets: range, producer: int | None) -> None:
        self.rows = 0
        self.disk_bytes = 0
        self.ended = False
        self.producer = producer
        self._log = log
        self._buckets = buckets
        self._places = dict.fromkeys(buckets, 0)
        self._seen: set[AttemptId] = set()
        self._looked_at = -1

    def take(self) -> Entry | None:
        """The next entry if it is there: of any kind but END, for which `ended` stands. Never waits, but for the disk."""
        with self._log.changed:
            found = self._poll()
        return None if found is None else self._given(found)

    def next(self, check: Callable[[], None], blocked: Blocked) -> pa.RecordBatch | None:
        """The next batch of rows, waited for if need be, or None at the end. `check` may raise, and is called after each
        waking."""
        while True:
            entry = self.take()
            if entry is None and not self.ended:
                with blocked():
                    entry = self._wait_for_entry(check)
            if entry is None:
                return None
            if entry.kind is EntryKind.DATA:
                return entry.batch

    def wait(self, seconds: float) -> None:
        """Waits until the log has changed since `take` last found nothing, or for so long."""
        with self._log.changed:
            self._log.changed.wait_for(lambda: self._log.version != self._looked_at, seconds)

    def close(self) -> None:
        """Says that this reader takes nothing more: no producer waits for it. Repeating it is harmless."""
        self._log.forget_reader(self)

    def _wait_for_entry(self, check: Callable[[], None]) -> Entry | None:
        while True:
            with self._log.changed:
                check()  # under the lock: who wants to be seen by it sets its sign first, then wakes the log
                found = self._poll()
                if found is None and not self.ended:
                    self._log.changed.wait()
            if found is not None:
                return self._given(found)
            if self.ended:
                return None

    def _poll(self) -> Kept | None:
        """The next entry that this reader wants, if it is there; on disk, it is held there. Notes the end."""
        for number in self._buckets:
            found = self._next_in(number)
            if found is not None:
                return found
        log = self._log
        self._looked_at = log.version
        if log.winners is None:
            return None
        lost = self._seen - log.winners
        if lost:
            raise InternalError(f"edge {log.plan.edge.id} was read from attempt {min(lost)}, which did not win")
        self.ended = True
        return None

    def _next_in(self, number: int) -> Kept | None:
        bucket = self._log.buckets[number]
        place = max(self._places[number], bucket.first)
        while place < bucket.end:
            entry = bucket.at(place)
            if entry is not None and self._wants(entry):
                self._places[number] = place + 1
                self._seen.add(entry.producer)
                held = Kept(entry.producer, entry.kind, entry.size, entry.schema, 0, entry.batch, entry.place)
                if held.place is not None:
                    held.place.hold()
                bucket.taken_at = time.monotonic()
                self._log.taken(bucket, place, entry)
                return held
            place += 1
        self._places[number] = place
        return None

    def _wants(self, entry: Kept) -> bool:
        if self.producer is not None and entry.producer.task.index != self.producer:
            return False
        return self._log.winners is None or entry.producer in self._log.winners

    def _given(self, found: Kept) -> Entry:
        batch = found.batch
        if batch is None:
            if found.place is None:
                raise InternalError(f"an entry of edge {self._log.plan.edge.id} is neither in memory nor on disk")
            try:
                batch = found.place.read(found.schema)
            finally:
                found.place.let_go()
            self.disk_bytes += found.size
        elif found.place is not None:
            found.place.let_go()
        self.rows += batch.num_rows if found.kind is EntryKind.DATA else 0
        return Entry(found.producer, batch, found.kind, found.size)

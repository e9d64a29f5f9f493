"""What one task reads of one edge on a mesh: the rows in its own worker's store by reference, and one stream from each other
worker that holds some.

Handed what is known of the edge, as it becomes known; hands on batches in the order in which they come. What always holds: a
stream is opened as soon as its source is known; the end is reached only after the seal, when the local log and every sealed
source have given all they had; rows of an attempt that did not win are never given once that is known, and given before are
an error.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import field

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError, StreamBroken
from flightmesh.exchange.log import Blocked, EdgeLog
from flightmesh.ids import AttemptId, WorkerId
from flightmesh.protocol.frames import EntryKind
from flightmesh.protocol.messages import EdgePlan, ExchangeMode, Source
from flightmesh.protocol.tickets import ExchangeTicket
from flightmesh.runtime.bell import Bell
from flightmesh.runtime.edge_news import EdgeState, FeedKey, Known
from flightmesh.runtime.feed import Feed, Origin, Room
from flightmesh.runtime.fetcher import Fetcher
from flightmesh.runtime.reach import CALL_STEP_SECONDS, Reach
from flightmesh.runtime.threads import Threads

LEAST_WINDOW = 256 * 1024
"""The streams of one reader share its window; each has at least so much."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Who reads: an attempt, and with `producer` only what tasks of that index wrote."""

    attempt: AttemptId
    producer: int | None


@dataclass(frozen=True, slots=True)
class Doors:
    """What an inlet reads through. `fetch`: threads for its streams; `bell`: rung when its reader is to look again; `room`: for
    what all readers of the worker have ahead of them."""

    reach: Reach
    fetch: Threads
    bell: Bell
    room: Room


@dataclass(slots=True)
class Intake:
    """What came in: rows and bytes from here and elsewhere, bytes by worker and when the first of them came (seconds since the
    epoch), how long streams stood with a full window."""

    local_rows: int = 0
    local_bytes: int = 0
    remote_rows: int = 0
    remote_bytes: int = 0
    waited_ns: int = 0
    streams: int = 0
    by_worker: dict[WorkerId, int] = field(default_factory=dict)
    first_at: dict[WorkerId, float] = field(default_factory=dict)


class Inlet:
    """One reader's merged view of an edge. Used by the attempt's thread; `close` by whoever ends it."""

    def __init__(self, reading: Reading, log: EdgeLog, state: EdgeState, doors: Doors) -> None:
        self.intake = Intake()
        self._reading = reading
        self._plan: EdgePlan = log.plan
        self._state = state
        self._doors = doors
        self._local = log.reader(log.plan.range_of(reading.attempt.task.index), reading.producer)
        self._feeds: dict[WorkerId, Feed] = {}
        self._awaited: dict[WorkerId, float] = {}
        self._turns: deque[Callable[[], pa.RecordBatch | None]] = deque([self._take_local])
        self._known = Known()
        self._seen: set[AttemptId] = set()
        self._ended = False
        self._closing = threading.Lock()
        self._is_closed = False
        self._unwatch = (log.watch(doors.bell.ring), state.watch(doors.bell.ring))
        self._meet_sources()

    @property
    def rows(self) -> int:
        """Rows given so far."""
        return self.intake.local_rows + self.intake.remote_rows

    def next(self, check: Callable[[], None], blocked: Blocked) -> pa.RecordBatch | None:
        """The next batch, waited for if need be, or None at the end. `check` may raise, and is called some times a second."""
        batch = self._poll()
        if batch is None and not self._ended:
            with blocked():
                batch = self._wait(check)
        return batch

    def close(self) -> None:
        """Ends every stream. Repeating it is harmless."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        for unwatch in self._unwatch:
            unwatch()
        self._local.close()
        for feed in list(self._feeds.values()):
            feed.close()
        self.intake.waited_ns = sum(feed.waited_ns for feed in self._feeds.values())

    def _wait(self, check: Callable[[], None]) -> pa.RecordBatch | None:
        while True:
            heard = self._doors.bell.rings
            check()
            batch = self._poll()
            if batch is not None or self._ended:
                return batch
            self._doors.bell.wait_past(heard, CALL_STEP_SECONDS)

    def _poll(self) -> pa.RecordBatch | None:
        """The next batch that is there, each source having its turn; notes the end when it is reached instead."""
        self._meet_sources()
        for _ in range(len(self._turns)):
            batch = self._turns[0]()
            self._turns.rotate(-1)
            if batch is not None:
                return batch
        if not self._ended and self._is_whole():
            self._check_winners()
            self._ended = True
        return None

    def _take_local(self) -> pa.RecordBatch | None:
        while (entry := self._local.take()) is not None:
            if entry.kind is EntryKind.DATA:
                self.intake.local_rows += entry.batch.num_rows
                self.intake.local_bytes += entry.batch.nbytes
                return entry.batch
        return None

    def _take_from(self, feed: Feed) -> pa.RecordBatch | None:
        while (entry := feed.take()) is not None:
            winners = self._known.winners
            if entry.kind is not EntryKind.DATA or (winners is not None and entry.producer not in winners):
                continue
            self._seen.add(entry.producer)
            self._count(feed.origin.worker, entry.batch)
            return entry.batch
        return None

    def _count(self, worker: WorkerId, batch: pa.RecordBatch) -> None:
        size = batch.nbytes
        self.intake.first_at.setdefault(worker, time.time())
        self.intake.remote_rows += batch.num_rows
        self.intake.remote_bytes += size
        self.intake.by_worker[worker] = self.intake.by_worker.get(worker, 0) + size

    def _meet_sources(self) -> None:
        """Opens a stream to each source that is new; gives up those that the seal does not name."""
        known = self._state.known
        if known is self._known and not self._awaited:
            return
        self._known = known
        here = self._doors.reach.worker
        wanted = {source.worker: source for source in known.sources if source.worker != here and self._reads(source)}
        for worker, source in wanted.items():
            if worker not in self._feeds:
                self._open(source, len(wanted))
        if known.winners is not None:
            for worker in [worker for worker in self._feeds if worker not in wanted]:
                self._feeds[worker].close()
            self._awaited = {worker: since for worker, since in self._awaited.items() if worker in wanted}

    def _reads(self, source: Source) -> bool:
        return self._reading.producer is None or self._reading.producer in source.producers

    def _open(self, source: Source, sources: int) -> None:
        feed = self._fetched(source, sources) if self._plan.mode is ExchangeMode.GET else self._pushed(source)
        if feed is None:
            return
        self._feeds[source.worker] = feed
        self._turns.append(lambda: self._take_from(feed))
        self.intake.streams += 1
        feed.on_news(self._doors.bell.ring)

    def _fetched(self, source: Source, sources: int) -> Feed:
        reach, plan, attempt = self._doors.reach, self._plan, self._reading.attempt
        streams = sources if self._reading.producer is None else max(sources, plan.producers)
        origin = Origin(plan.edge.id, source.worker, self._reading.producer)
        feed = Feed(origin, max(LEAST_WINDOW, reach.window // streams), self._doors.room)
        buckets = plan.range_of(attempt.task.index)
        ticket = ExchangeTicket(
            attempt.task.job, plan.edge.id, source.worker, buckets.start, buckets.stop, attempt, self._reading.producer
        )
        self._doors.fetch.run(Fetcher(reach.peers, source.address, reach.sign(ticket), feed).run)
        return feed

    def _pushed(self, source: Source) -> Feed | None:
        """The stream that `source` pushes here; None as long as it has not come."""
        feed = self._state.feeds.get(FeedKey(self._reading.attempt, source.worker, self._reading.producer))
        if feed is not None:
            self._awaited.pop(source.worker, None)
            return feed
        since = self._awaited.setdefault(source.worker, time.monotonic())
        if time.monotonic() - since > self._doors.reach.patience:
            edge = self._plan.edge.id
            raise StreamBroken(f"worker {source.worker} ({source.address}) has not begun to push edge {edge}")
        return None

    def _is_whole(self) -> bool:
        known = self._known
        if known.winners is None or self._awaited or not self._local.ended:
            return False
        here = self._doors.reach.worker
        sealed = [source.worker for source in known.sources if source.worker != here and self._reads(source)]
        return all(worker in self._feeds and self._feeds[worker].ended for worker in sealed)

    def _check_winners(self) -> None:
        lost = self._seen - (self._known.winners or frozenset())
        if lost:
            raise InternalError(f"edge {self._plan.edge.id} was read from attempt {min(lost)}, which did not win")

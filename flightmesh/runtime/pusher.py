"""Pushes what is written here on PUT edges to their readers on other workers: one stream and one thread for each (reader, and
producer where the edge is read by runs).

Handed readers and producers as they are placed; reads the same log as anybody. What always holds: at most `window` bytes of a
stream are not acknowledged (an entry larger than that goes alone); a stream ends with END after the seal; a reader that has
enough, or is gone, ends its stream and nothing else: its own side knows what it has missed.
"""

from __future__ import annotations

import logging
import struct
import threading
import time
from collections import deque
from dataclasses import field

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import FlightmeshError, NodeUnavailable
from flightmesh.exchange.log import EdgeLog
from flightmesh.exchange.store import ExchangeStore
from flightmesh.ids import EdgeId, JobId
from flightmesh.kernel.batches import empty_batch
from flightmesh.protocol.frames import Frame, pack_end, pack_frame
from flightmesh.protocol.messages import ExchangeMode, PlanStage, Reader
from flightmesh.protocol.tickets import ExchangeTicket
from flightmesh.runtime.bell import Bell
from flightmesh.runtime.reach import Reach
from flightmesh.runtime.threads import Threads
from flightmesh.transport.peers import StreamOut

LOG = logging.getLogger(__name__)
ENOUGH = 2**64 - 1
_ACKNOWLEDGEMENT = struct.Struct("<Q")
_LEAST_COST = 1 / 256
"""An entry counts for at least this share of the window, so that the acknowledgements that lie unread stay few."""


def pack_acknowledgement(taken: int | None) -> bytes:
    """So many entries have been taken; None: the reader wants no more."""
    return _ACKNOWLEDGEMENT.pack(ENOUGH if taken is None else taken)


def edge_schema(log: EdgeLog) -> pa.Schema:
    """The columns of an edge as its streams carry them."""
    return pa.schema([pa.field(f.key, f.type) for f in log.plan.edge.fields])


class Pusher:
    """One stream. `run` is the thread's whole work; `cancel` may be called from any other."""

    def __init__(self, log: EdgeLog, reader: Reader, producer: int | None, job: JobId, reach: Reach) -> None:
        self.waited_ns = 0
        self._log = log
        self._reader = reader
        self._reach = reach
        buckets = log.plan.range_of(reader.attempt.task.index)
        self._rows = log.reader(buckets, producer)
        self._ticket = ExchangeTicket(
            job, log.plan.edge.id, reader.worker, buckets.start, buckets.stop, reader.attempt, producer, reach.worker
        )
        self._schema = edge_schema(log)
        self._bell = Bell()
        self._unanswered: deque[int] = deque()
        self._under_way = 0
        self._acknowledged = 0
        self._stream: StreamOut | None = None
        self._is_cancelled = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Pushes until the end of the edge, or until the reader wants no more."""
        unwatch = self._log.watch(self._bell.ring)
        try:
            self._push()
        except FlightmeshError as error:
            level = logging.WARNING if isinstance(error, NodeUnavailable) else logging.DEBUG
            LOG.log(level, "stopped pushing edge %s to %s: %s", self._log.plan.edge.id, self._reader.worker, error.message)
            self._end()
        except Exception as error:
            LOG.debug("pushing edge %s to %s broke", self._log.plan.edge.id, self._reader.worker, exc_info=error)
            self._end()
        finally:
            unwatch()
            self._rows.close()
            self._stream = None

    def cancel(self) -> None:
        """Ends the stream, wherever it stands."""
        self._is_cancelled = True
        self._bell.ring()
        self._end()

    def _end(self) -> None:
        with self._lock:
            stream = self._stream
        if stream is not None:
            stream.cancel()

    def _push(self) -> None:
        stream = self._reach.peers.put(self._reader.address, self._reach.sign(self._ticket), self._schema)
        with self._lock:
            self._stream = stream
        sent = 0
        while not self._is_cancelled:
            heard = self._bell.rings
            entry = self._rows.take()
            if entry is None and self._rows.ended:
                stream.write(empty_batch(self._schema), pack_end(sent, self.waited_ns))
                stream.finish()
                return
            if entry is None:
                self._bell.wait_past(heard)
                continue
            cost = max(entry.batch.nbytes, int(self._reach.window * _LEAST_COST))
            if not self._wait_for_credit(stream, cost):
                break
            stream.write(entry.batch, pack_frame(Frame(entry.kind, entry.producer, sent)))
            self._unanswered.append(cost)
            self._under_way += cost
            sent += 1
        stream.cancel()

    def _wait_for_credit(self, stream: StreamOut, cost: int) -> bool:
        """Waits until an entry may go. False when the reader wants no more."""
        if not self._under_way or self._under_way + cost <= self._reach.window:
            return True
        started = time.perf_counter_ns()
        try:
            while self._under_way and self._under_way + cost > self._reach.window:
                said = stream.acknowledged()
                if said is None or not self._hear(int(_ACKNOWLEDGEMENT.unpack(said)[0])):
                    return False
        finally:
            self.waited_ns += time.perf_counter_ns() - started
        return True

    def _hear(self, taken: int) -> bool:
        while self._acknowledged < taken and self._unanswered:
            self._under_way -= self._unanswered.popleft()
            self._acknowledged += 1
        return taken != ENOUGH


@dataclass(slots=True)
class _EdgeEnds:
    """Readers and producers of one edge that are known, and the streams between them."""

    readers: dict[str, Reader] = field(default_factory=dict)
    producers: set[int] = field(default_factory=set)
    pushers: dict[tuple[str, int | None], Pusher] = field(default_factory=dict)


class Pushers:
    """All streams that this worker pushes, by job. Called by the event loop."""

    def __init__(self, store: ExchangeStore, reach: Reach, threads: Threads) -> None:
        self._store = store
        self._reach = reach
        self._threads = threads
        self._jobs: dict[JobId, dict[EdgeId, _EdgeEnds]] = {}

    def push_to(self, job: JobId, edge: EdgeId, readers: tuple[Reader, ...]) -> None:
        """Readers of an edge that are placed by now."""
        ends = self._ends(job, edge)
        ends.readers.update({str(reader.attempt): reader for reader in readers if reader.worker != self._reach.worker})
        self._start(job, edge, ends)

    def note_producer(self, job: JobId, plan: PlanStage, index: int) -> None:
        """A task that writes edges starts here."""
        for output in plan.outputs:
            if output.mode is ExchangeMode.PUT and output.edge.order:
                ends = self._ends(job, output.edge.id)
                ends.producers.add(index)
                self._start(job, output.edge.id, ends)

    def drop(self, job: JobId) -> None:
        """Ends all streams of a job."""
        for ends in self._jobs.pop(job, {}).values():
            for pusher in list(ends.pushers.values()):  # who closes a worker does not wait for its loop, which may add one
                pusher.cancel()

    def _ends(self, job: JobId, edge: EdgeId) -> _EdgeEnds:
        return self._jobs.setdefault(job, {}).setdefault(edge, _EdgeEnds())

    def _start(self, job: JobId, edge: EdgeId, ends: _EdgeEnds) -> None:
        log = self._store.log(job, edge)
        if log.plan.mode is not ExchangeMode.PUT:
            return
        runs: list[int | None] = [*sorted(ends.producers)] if log.plan.edge.order else [None]
        for name, reader in ends.readers.items():
            for producer in runs:
                if (name, producer) not in ends.pushers:
                    pusher = Pusher(log, reader, producer, job, self._reach)
                    ends.pushers[name, producer] = pusher
                    self._threads.run(pusher.run)

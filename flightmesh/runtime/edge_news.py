"""What a worker has been told of the edges of its jobs: their plans, where their rows are, which attempts won, what is pushed
here.

Handed news by the event loop and pushed streams by their handlers; read by the tasks that read the edges. What always holds:
what is known of an edge is one frozen value, replaced as a whole; whoever watches is rung after each change; after `drop`
nothing is left of a job, and who waited for one of its edges is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import field, replace

from flightmesh.dataclass import dataclass
from flightmesh.errors import Cancelled, InvalidMessage, UnknownJob
from flightmesh.ids import AttemptId, EdgeId, JobId, WorkerId
from flightmesh.protocol.messages import EdgePlan, Source
from flightmesh.runtime.feed import Feed
from flightmesh.runtime.reach import CALL_STEP_SECONDS

EDGE_SECONDS = 15.0
"""How long a stream of another worker waits for its edge to be opened here: the order may come later than who asks for it."""
RESULT_SECONDS = 20.0
"""The same of a client, who is to hear soon of a job that is not known."""
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """Where an edge's rows are. `winners` None: not sealed, more may come."""

    sources: tuple[Source, ...] = ()
    winners: frozenset[AttemptId] | None = None


@dataclass(frozen=True, slots=True)
class FeedKey:
    """Which pushed stream: of whom, for which attempt, and of which producer where the edge is read by runs."""

    reader: AttemptId
    sender: WorkerId
    producer: int | None


@dataclass(slots=True, eq=False)
class EdgeState:
    """One edge. `known`, `written` (tasks that have written all of theirs here), `is_dropped` and `feeds` may be looked at
    without the lock."""

    plan: EdgePlan
    known: Known = field(default_factory=Known)
    feeds: dict[FeedKey, Feed] = field(default_factory=dict)
    readers_over: set[AttemptId] = field(default_factory=set)
    written: frozenset[int] = frozenset()
    is_dropped: bool = False
    _watchers: dict[object, Callable[[], None]] = field(default_factory=dict)

    def watch(self, ring: Callable[[], None]) -> Callable[[], None]:
        """Calls `ring` after each change, until what this returns is called."""
        mark = object()
        self._watchers[mark] = ring

        def unwatch() -> None:
            self._watchers.pop(mark, None)

        return unwatch

    def is_written_at(self, worker: WorkerId) -> bool:
        """Whether nothing more comes of the tasks at a worker, this one, as far as is known before the seal: it is known where
        all of the edge's tasks are, and those that are here have ended well."""
        sources = self.known.sources
        if sum(len(source.producers) for source in sources) < self.plan.producers:
            return False
        return all(self.written.issuperset(source.producers) for source in sources if source.worker == worker)

    def ring(self) -> None:
        """Tells all who watch."""
        for ring in list(self._watchers.values()):
            ring()


class EdgeNews:
    """Edges by job. Any thread may call."""

    def __init__(self) -> None:
        self._edges: dict[JobId, dict[EdgeId, EdgeState]] = {}
        self._over: dict[JobId, None] = {}
        self._changed = threading.Condition()

    def open(self, job: JobId, plan: EdgePlan) -> EdgeState:
        """Notes an edge; one that is open stays as it is."""
        with self._changed:
            edges = self._edges.setdefault(job, {})
            if plan.edge.id not in edges:
                edges[plan.edge.id] = EdgeState(plan)
                self._changed.notify_all()
            return edges[plan.edge.id]

    def note_sources(self, job: JobId, edge: EdgeId, sources: tuple[Source, ...]) -> None:
        """Where writers of an edge are, as far as placed. Nothing new after the seal."""
        state = self._state(job, edge)
        if state is not None and state.known.winners is None:
            state.known = replace(state.known, sources=sources)
            state.ring()

    def note_written(self, job: JobId, edge: EdgeId, producer: int) -> None:
        """A task here has written all of its rows of an edge."""
        with self._changed:
            state = self._find(job, edge)
            if state is not None:
                state.written |= {producer}

    def seal(self, job: JobId, edge: EdgeId, winners: tuple[AttemptId, ...], sources: tuple[Source, ...]) -> None:
        """All rows are there, and where."""
        state = self._state(job, edge)
        if state is not None:
            state.known = Known(sources, frozenset(winners))
            state.ring()

    def wait_open(self, job: JobId, edge: EdgeId | None, check: Callable[[], None]) -> EdgeState:
        """An edge of a job (None: its result), waited for. Raises UnknownJob when it does not come, or was released. `check` is
        called while it waits, and may raise."""
        deadline = time.monotonic() + (RESULT_SECONDS if edge is None else EDGE_SECONDS)
        with self._changed:
            while (found := self._find(job, edge)) is None:
                check()
                left = deadline - time.monotonic()
                if job in self._over or left <= 0:
                    raise UnknownJob(f"job {job} is not known here, or has been released")
                self._changed.wait(min(left, CALL_STEP_SECONDS))
            return found

    def offer_feed(self, state: EdgeState, key: FeedKey, feed: Feed) -> None:
        """A stream is being pushed here. Raises Cancelled when its reader is over, InvalidMessage when it is there already."""
        with self._changed:
            if state.is_dropped or key.reader in state.readers_over:
                raise Cancelled(f"attempt {key.reader} reads no more")
            if key in state.feeds:
                raise InvalidMessage(f"{feed.origin} is pushed twice")
            state.feeds[key] = feed
        state.ring()

    def reader_over(self, attempt: AttemptId, edges: tuple[EdgeId, ...]) -> None:
        """An attempt has ended: what is pushed to it is let go of, now and later."""
        feeds: list[Feed] = []
        with self._changed:
            for edge in edges:
                state = self._find(attempt.task.job, edge)
                if state is not None:
                    state.readers_over.add(attempt)
                    gone = [key for key in state.feeds if key.reader == attempt]
                    feeds.extend(state.feeds.pop(key) for key in gone)
        for feed in feeds:
            feed.close()

    def drop(self, job: JobId) -> None:
        """Forgets a job."""
        with self._changed:
            states = list(self._edges.pop(job, {}).values())
            self._over[job] = None
            if len(self._over) > _REMEMBERED:
                del self._over[next(iter(self._over))]
            for state in states:
                state.is_dropped = True
            self._changed.notify_all()
        for state in states:
            for feed in list(state.feeds.values()):
                feed.close()
            state.feeds.clear()
            state.ring()

    def state(self, job: JobId, edge: EdgeId) -> EdgeState | None:
        """What is known of an edge; None when it is not open here."""
        return self._state(job, edge)

    def _state(self, job: JobId, edge: EdgeId) -> EdgeState | None:
        with self._changed:
            return self._find(job, edge)

    def _find(self, job: JobId, edge: EdgeId | None) -> EdgeState | None:
        edges = self._edges.get(job, {})
        if edge is not None:
            return edges.get(edge)
        return next((state for state in edges.values() if state.plan.edge.consumer is None), None)

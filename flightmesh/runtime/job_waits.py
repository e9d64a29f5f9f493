"""Who waits for a job: for its places, its outcome, its being freed everywhere.

Handed news by the event loop; asked from any thread. What always holds: whoever waits is woken by what he waits for or by the
job's error; what came of a job is known here for a while after it was forgotten, so that a late question gets its answer.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from flightmesh.dataclass import dataclass
from flightmesh.driver.record import JobRecord, JobState
from flightmesh.errors import FlightmeshError, InternalError, UnknownJob, from_wire
from flightmesh.ids import JobId, WorkerId

PAST = 1000
"""Forgotten jobs whose outcome is still known."""


@dataclass(frozen=True, slots=True)
class ResultPlace:
    """Where one result partition is: the worker, and the URIs of its listeners for clients and for nodes."""

    worker: WorkerId
    client: str
    mesh: str


@dataclass(slots=True)
class _News:
    """What is known of one job."""

    places: tuple[ResultPlace, ...] | None = None
    error: FlightmeshError | None = None
    has_ended: bool = False
    is_forgotten: bool = False


class JobWaits:
    """All jobs of a driver process that somebody may wait for."""

    def __init__(self) -> None:
        self._open: dict[JobId, _News] = {}
        self._past: OrderedDict[JobId, _News] = OrderedDict()
        self._changed = threading.Condition()

    def add(self, job: JobId) -> None:
        """A job is about to be submitted."""
        with self._changed:
            self._open[job] = _News()

    def note_places(self, job: JobId, places: tuple[ResultPlace, ...]) -> None:
        """The event loop's news: the job has left the queue."""
        with self._changed:
            if (news := self._open.get(job)) is not None:
                news.places = places
                self._changed.notify_all()

    def note_end(self, record: JobRecord) -> None:
        """The event loop's news: an outcome."""
        with self._changed:
            if (news := self._open.get(record.job)) is not None:
                news.has_ended = True
                news.error = None if record.state is JobState.SUCCEEDED else _error_of(record)
                self._changed.notify_all()

    def note_forgotten(self, job: JobId) -> None:
        """The event loop's news: nothing is left of the job on any worker."""
        with self._changed:
            if (news := self._open.pop(job, None)) is not None:
                self._bury(job, news)
                self._changed.notify_all()

    def fail_all(self, error: FlightmeshError) -> None:
        """Ends every wait: the driver broke down, or goes down. Jobs that have no outcome get this one."""
        with self._changed:
            for job, news in list(self._open.items()):
                if not news.has_ended:
                    news.has_ended, news.error = True, error
                self._bury(job, news)
            self._open.clear()
            self._changed.notify_all()

    def wait_placed(self, job: JobId, seconds: float) -> tuple[ResultPlace, ...] | None:
        """Where the result is; None when `seconds` passed before that was known. Raises the job's error, UnknownJob."""
        with self._changed:
            news = self._find(job)
            self._changed.wait_for(lambda: news.places is not None or news.has_ended, seconds)
            if news.error is not None:
                raise news.error
            return news.places

    def wait_ended(self, job: JobId, seconds: float) -> bool:
        """Waits for a job's outcome; false when that took longer. Raises UnknownJob."""
        with self._changed:
            news = self._find(job)
            return self._changed.wait_for(lambda: news.has_ended, seconds)

    def wait_forgotten(self, job: JobId, seconds: float) -> bool:
        """Waits until nothing is left of a job on any worker; false when that took longer. Raises UnknownJob."""
        with self._changed:
            news = self._find(job)
            return self._changed.wait_for(lambda: news.is_forgotten, seconds)

    def require(self, job: JobId) -> None:
        """Raises UnknownJob unless the job is, or was lately, known."""
        with self._changed:
            self._find(job)

    @property
    def open(self) -> tuple[JobId, ...]:
        """Jobs that have not been forgotten."""
        with self._changed:
            return tuple(self._open)

    def _find(self, job: JobId) -> _News:
        news = self._open.get(job) or self._past.get(job)
        if news is None:
            raise unknown_job(job)
        return news

    def _bury(self, job: JobId, news: _News) -> None:
        news.is_forgotten = True
        self._past[job] = news
        while len(self._past) > PAST:
            self._past.popitem(last=False)


def unknown_job(job: JobId) -> UnknownJob:
    """The error for a job that is not known, or not any more."""
    return UnknownJob(f"there is no job {job} at this driver", hint="`flightmesh jobs` lists the jobs that it remembers")


def _error_of(record: JobRecord) -> FlightmeshError:
    if record.error is None:
        return InternalError(f"job {record.job} is {record.state.value}, and its record does not say why")
    return from_wire(record.error)

"""What a driver process knows of its jobs for people and waiting clients: how each stands, where its result is, its record.

Handed news by the event loop; read from any thread. What always holds: whoever waits for a job is woken by its places, its
error or its end; a job that has been forgotten by the mesh stays as a summary, the latest `history` of them, and of their
records only as many as stay small.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from flightmesh.driver.events import JobOptions
from flightmesh.driver.record import JobRecord, JobState, Progress
from flightmesh.errors import FlightmeshError, InternalError, UnknownJob, from_wire
from flightmesh.ids import JobId, WorkerId
from flightmesh.protocol.client_messages import JobStatus
from flightmesh.stage.graph import StageGraph

RECORDED_TASKS = 20_000
"""Tasks in the records of past jobs that are kept; past that the oldest records go and their summaries stay."""


@dataclass(frozen=True, slots=True)
class ResultPlace:
    """Where one result partition is: the worker, and the URIs of its listeners for clients and for nodes."""

    worker: WorkerId
    client: str
    mesh: str


@dataclass(slots=True)
class _Job:
    """What is known of one job. Times are seconds since the epoch."""

    id: JobId
    options: JobOptions
    submitted: float
    progress: Progress
    started: float | None = None
    ended: float | None = None
    places: tuple[ResultPlace, ...] | None = None
    record: JobRecord | None = None
    state: JobState = JobState.QUEUED
    error: FlightmeshError | None = None
    is_forgotten: bool = False
    names: dict[WorkerId, str] = field(default_factory=dict)

    @property
    def tasks_recorded(self) -> int:
        return 0 if self.record is None else sum(len(stage.tasks) for stage in self.record.stages)


class JobLedger:
    """All jobs of a driver process, the past ones as summaries."""

    def __init__(self, history: int) -> None:
        self._history = history
        self._jobs: OrderedDict[JobId, _Job] = OrderedDict()
        self._past: OrderedDict[JobId, _Job] = OrderedDict()
        self._changed = threading.Condition()

    def add(self, job: JobId, graph: StageGraph, options: JobOptions) -> None:
        """A job is about to be submitted."""
        nothing = Progress(0, len(graph.stages), 0, sum(stage.tasks for stage in graph.stages))
        with self._changed:
            self._jobs[job] = _Job(job, options, time.time(), nothing)

    def note_progress(self, job: JobId, progress: Progress) -> None:
        """The event loop's news."""
        with self._changed:
            if (entry := self._jobs.get(job)) is not None:
                entry.progress = progress

    def note_places(self, job: JobId, places: tuple[ResultPlace, ...]) -> None:
        """The event loop's news: the job has left the queue."""
        with self._changed:
            if (entry := self._jobs.get(job)) is not None:
                entry.places, entry.started = places, time.time()
                if entry.state is JobState.QUEUED:
                    entry.state = JobState.RUNNING
                self._changed.notify_all()

    def note_end(self, record: JobRecord, names: dict[WorkerId, str]) -> None:
        """The event loop's news: an outcome. `names`: what people call the workers of the record."""
        with self._changed:
            entry = self._jobs.get(record.job)
            if entry is None:
                return
            entry.record, entry.state, entry.progress = record, record.state, record.progress
            entry.ended, entry.names = time.time(), names
            if record.state is not JobState.SUCCEEDED:
                entry.error = _error_of(record)
            self._changed.notify_all()

    def note_forgotten(self, job: JobId) -> None:
        """The event loop's news: nothing is left of the job on any worker."""
        with self._changed:
            entry = self._jobs.pop(job, None)
            if entry is not None:
                self._bury(entry)
            self._changed.notify_all()

    def fail_all(self, error: FlightmeshError) -> None:
        """Gives every job that has no outcome this one: the driver itself broke down."""
        with self._changed:
            for entry in list(self._jobs.values()):
                if entry.ended is None:
                    entry.state, entry.error, entry.ended = JobState.FAILED, error, time.time()
                del self._jobs[entry.id]
                self._bury(entry)
            self._changed.notify_all()

    def wait_placed(self, job: JobId, seconds: float) -> tuple[ResultPlace, ...] | None:
        """Where the result is; None when `seconds` passed before that was known. Raises the job's error, UnknownJob."""
        with self._changed:
            entry = self._find(job)
            self._changed.wait_for(lambda: entry.places is not None or entry.error is not None, seconds)
            if entry.error is not None:
                raise entry.error
            return entry.places

    def wait_ended(self, job: JobId, seconds: float) -> bool:
        """Waits for a job's outcome; false when that took longer."""
        with self._changed:
            entry = self._find(job)
            return self._changed.wait_for(lambda: entry.ended is not None, seconds)

    def wait_forgotten(self, job: JobId, seconds: float) -> bool:
        """Waits until nothing is left of a job on any worker; false when that took longer."""
        with self._changed:
            entry = self._find(job)
            return self._changed.wait_for(lambda: entry.is_forgotten, seconds)

    def status(self, job: JobId) -> JobStatus:
        """How a job stands. Raises UnknownJob."""
        with self._changed:
            return self._status(self._find(job))

    def all(self) -> tuple[JobStatus, ...]:
        """How all jobs stand, in the order of their numbers."""
        with self._changed:
            entries = sorted([*self._past.values(), *self._jobs.values()], key=lambda entry: entry.id)
            return tuple(self._status(entry) for entry in entries)

    def record(self, job: JobId) -> tuple[JobRecord | None, dict[WorkerId, str]]:
        """The record of a job that has ended (None: it runs, or is long past) and the names of its workers. Raises UnknownJob."""
        with self._changed:
            entry = self._find(job)
            return entry.record, dict(entry.names)

    @property
    def running(self) -> tuple[JobId, ...]:
        """Jobs without an outcome."""
        with self._changed:
            return tuple(entry.id for entry in self._jobs.values() if entry.ended is None)

    @property
    def held(self) -> tuple[JobId, ...]:
        """Jobs of which something is left on some worker."""
        with self._changed:
            return tuple(self._jobs)

    def _find(self, job: JobId) -> _Job:
        entry = self._jobs.get(job) or self._past.get(job)
        if entry is None:
            hint = "`flightmesh jobs` lists the jobs that this driver remembers"
            raise UnknownJob(f"there is no job {job} at this driver", hint=hint)
        return entry

    def _bury(self, entry: _Job) -> None:
        entry.is_forgotten = True
        self._past[entry.id] = entry
        while len(self._past) > self._history:
            self._past.popitem(last=False)
        recorded = sum(job.tasks_recorded for job in self._past.values())
        for job in self._past.values():
            if recorded <= RECORDED_TASKS or job is entry:
                break
            recorded -= job.tasks_recorded
            job.record = None

    def _status(self, entry: _Job) -> JobStatus:
        place = 0
        if entry.state is JobState.QUEUED:
            place = 1 + sum(job.state is JobState.QUEUED and job.id < entry.id for job in self._jobs.values())
        progress, options = entry.progress, entry.options
        return JobStatus(
            job=entry.id,
            state=entry.state.value,
            text=options.text,
            session=options.session,
            submitted=entry.submitted,
            started=entry.started,
            ended=entry.ended,
            stages_done=progress.stages_done,
            stages=progress.stages,
            tasks_done=progress.tasks_done,
            tasks=progress.tasks,
            rows=progress.rows,
            bytes=progress.bytes,
            place=place,
            error=None if entry.error is None else entry.error.to_wire(),
        )


def _error_of(record: JobRecord) -> FlightmeshError:
    if record.error is None:
        return InternalError(f"job {record.job} is {record.state.value}, and its record does not say why")
    return from_wire(record.error)

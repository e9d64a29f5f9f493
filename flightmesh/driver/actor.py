"""The driver: an actor that schedules the stages of jobs on workers, follows their tasks and says when a job is done.

Handed events (workers, jobs, splits, reports, time); hands on effects. What always holds: `step` is the only entrance, it
reads no clock and does no I/O; an edge is sealed once, with its winners; a job succeeds only when rows written and read
balance; a job that has ended leaves nothing but a summary once its workers have released it, or are gone.
"""

from __future__ import annotations

import sys
from typing import assert_never

from flightmesh.config import MeshConfig
from flightmesh.driver.admission import admit, give_up_waiting, submit
from flightmesh.driver.ending import fail, release
from flightmesh.driver.entries import Table
from flightmesh.driver.events import (
    DriverEffect,
    DriverEvent,
    JobCancelled,
    JobSubmitted,
    ReportReceived,
    ResultTaken,
    SplitsFailed,
    SplitsFound,
    Ticked,
    WorkerHeard,
    WorkerJoined,
    WorkerLeft,
    WorkerUnreachable,
)
from flightmesh.driver.history import History
from flightmesh.driver.loss import lose
from flightmesh.driver.membership import hear, join, look_for_silence, release_drained
from flightmesh.driver.placing import place
from flightmesh.driver.record import JobState
from flightmesh.driver.reports import hear_report, job_of
from flightmesh.driver.results import cancel, expire
from flightmesh.driver.split_queues import fill_queue
from flightmesh.driver.worker_transitions import WorkerHappening
from flightmesh.errors import InternalError
from flightmesh.ids import WorkerId
from flightmesh.protocol.messages import DriverMessage

IN_ONE_PROCESS = MeshConfig(running_jobs=sys.maxsize, queued_jobs=sys.maxsize, history=0)
"""A session of one process takes every job at once, and asks its own handles for records."""


class Driver:
    """The actor. Its whole state is its table, which `summary` shows to people."""

    def __init__(self, config: MeshConfig = IN_ONE_PROCESS) -> None:
        self.table = Table(config, History(config.history))

    def step(self, event: DriverEvent, now: float) -> list[DriverEffect]:
        """The effects of an event at time `now` (seconds of any steady clock)."""
        return [*self._take(event, now), *self._settle(now)]

    @property
    def is_idle(self) -> bool:
        """Whether no job is known but finished ones."""
        table = self.table
        return not (table.jobs or table.tasks or table.queues or table.planned or table.told or table.queue)

    def _take(self, event: DriverEvent, now: float) -> list[DriverEffect]:
        match event:
            case WorkerJoined():
                return join(self.table, event, now)
            case WorkerHeard():
                return hear(self.table, event, now)
            case WorkerUnreachable(worker=worker, cause=cause):
                return lose(self.table, worker, WorkerHappening.LOST, cause, now)
            case WorkerLeft(worker=worker, reason=reason):
                return lose(self.table, worker, WorkerHappening.LEFT, reason, now)
            case Ticked():
                silent = look_for_silence(self.table, now)
                return [*silent, *give_up_waiting(self.table, now), *expire(self.table, now)]
            case JobSubmitted():
                return submit(self.table, event, now)
            case SplitsFound(job=job, stage=stage, source=source, splits=splits):
                return fill_queue(self.table, job, stage, source, splits) if self.table.runs(job) else []
            case SplitsFailed(job=job, error=error):
                return fail(self.table, job, JobState.FAILED, error, now) if self.table.runs(job) else []
            case ReportReceived(worker=worker, message=message):
                return self._hear(worker, message, now)
            case JobCancelled(job=job, reason=reason):
                return cancel(self.table, job, reason, now)
            case ResultTaken(job=job):
                return release(self.table, job)
            case _:
                assert_never(event)

    def _hear(self, worker: WorkerId, message: DriverMessage, now: float) -> list[DriverEffect]:
        known = self.table.workers.get(worker)
        if known is None or not known.state.is_present:
            return []
        try:
            return hear_report(self.table, worker, message, now)
        except InternalError as error:  # an illegal report ends its job, not the driver
            job = job_of(message)
            return fail(self.table, job, JobState.FAILED, error.to_wire(), now) if self.table.is_open(job) else []

    def _settle(self, now: float) -> list[DriverEffect]:
        """Lets start what now finds room, and lets go whom nobody needs."""
        if not self.table.unsettled:
            return []
        self.table.unsettled = False
        started = [*admit(self.table, now), *place(self.table, now)]
        self.table.unsettled = False
        return [*started, *release_drained(self.table)]

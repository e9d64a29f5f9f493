"""Follows who reads results at workers: a job is released when all partitions were read, cancelled when its client lets go of
one, and expires when nobody reads it.

Handed reports of workers and the time; hands on effects. What always holds: a partition is read or dropped at the worker that
it is pinned to; a job whose result nobody reads does not stay for ever, finished or not.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.ending import fail, release, withdraw
from flightmesh.driver.entries import JobEntry, Table
from flightmesh.driver.events import DriverEffect, ResultAt
from flightmesh.driver.record import JobState
from flightmesh.driver.transitions import TaskPhase
from flightmesh.errors import Cancelled, InternalError, UnknownJob
from flightmesh.ids import JobId, WorkerId
from flightmesh.protocol.messages import ResultDropped, ResultRead

DROPPED = "the client let go of the result"


def result_read(table: Table, worker: WorkerId, message: ResultRead, now: float) -> list[DriverEffect]:
    """A partition was read to its end."""
    job = _pinned(table, worker, message.job, message.partition)
    if job is None or message.partition in job.read or job.releasing:
        return []
    if job.state is JobState.RUNNING:
        raise InternalError(f"partition {message.partition} of job {job.id} was read to an end that it does not have yet")
    if job.state is not JobState.SUCCEEDED:
        return []
    job = table.jobs[job.id] = replace(job, read=job.read | {message.partition}, moved=now)
    return [] if job.unread else release(table, job.id)


def result_dropped(table: Table, worker: WorkerId, message: ResultDropped, now: float) -> list[DriverEffect]:
    """A client has let go of a partition before its end: it does not want the job."""
    job = _pinned(table, worker, message.job, message.partition)
    if job is None or message.partition in job.read:
        return []
    return cancel(table, message.job, DROPPED, now)


def cancel(table: Table, job_id: JobId, reason: str, now: float) -> list[DriverEffect]:
    """Nobody wants a job any more."""
    job = table.jobs.get(job_id)
    if job is None:
        return []
    if table.is_open(job_id):
        return fail(table, job_id, JobState.CANCELLED, Cancelled(reason).to_wire(), now)
    return withdraw(table, job, Cancelled(reason)) if job.state is JobState.SUCCEEDED else []


def expire(table: Table, now: float) -> list[DriverEffect]:
    """Ends what nobody reads: results that lie ready, and jobs that wait for nothing but their client."""
    effects: list[DriverEffect] = []
    for job in list(table.jobs.values()):
        if job.options.result is not ResultAt.WORKERS or job.releasing or now - job.moved < job.options.keep:
            continue
        if job.state is JobState.SUCCEEDED:
            effects.extend(withdraw(table, job, _expired(job)))
        elif job.state is JobState.RUNNING and _waits_for_client(table, job):
            effects.extend(fail(table, job.id, JobState.CANCELLED, _expired(job).to_wire(), now))
    return effects


def _pinned(table: Table, worker: WorkerId, job_id: JobId, partition: int) -> JobEntry | None:
    """The job whose partition it is; None for one that is not known any more. Raises InternalError for another's partition."""
    job = table.jobs.get(job_id)
    if job is None:
        return None
    if not 0 <= partition < len(job.pins) or job.pins[partition] != worker:
        raise InternalError(f"worker {worker} says that it has partition {partition} of job {job_id}, and it has not")
    return job


def _waits_for_client(table: Table, job: JobEntry) -> bool:
    """Whether only tasks that make the result are left, all of them started."""
    left = [task for task in table.tasks_of(job.id) if not task.phase.is_over]
    return all(task.id.stage == job.result_stage and task.phase is TaskPhase.RUNNING for task in left)


def _expired(job: JobEntry) -> UnknownJob:
    return UnknownJob(
        f"the result of job {job.id} has expired: nobody read it for {job.options.keep:.0f} s",
        hint="run the query again and read its result as it comes",
    )

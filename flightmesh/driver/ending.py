"""How jobs end: told to the client, their tasks cancelled, everything released, a summary kept.

Handed the table and a job; hands on effects. What always holds: a job is released once, when none of its tasks runs; it is
forgotten when every worker that had something of it has said so, or is gone.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.balance import imbalance
from flightmesh.driver.closing import openers
from flightmesh.driver.edge_news import seal
from flightmesh.driver.entries import JobEntry, Table
from flightmesh.driver.events import DriverEffect, EndJob, ForgetJob, NoteProgress, Send
from flightmesh.driver.moves import move
from flightmesh.driver.progress import progress_of
from flightmesh.driver.record import JobState
from flightmesh.driver.recording import record_of
from flightmesh.driver.summary import finished_job
from flightmesh.driver.transitions import Happening
from flightmesh.errors import FlightmeshError, InternalError
from flightmesh.ids import JobId, WorkerId
from flightmesh.protocol.messages import CancelTask, FailResult, ReleaseJob, WireError


def succeed(table: Table, job: JobEntry, now: float) -> list[DriverEffect]:
    """Ends a job whose tasks are all over: well, if what was written and read balances."""
    wrong = imbalance(table, job)
    if wrong is not None:
        return fail(table, job.id, JobState.FAILED, InternalError(wrong).to_wire(), now)
    noted = note_progress(table, job.id)
    sealed = job.sealed | {job.graph.result}
    job = replace(table.jobs[job.id], state=JobState.SUCCEEDED, sealed=sealed, ended=now, moved=now)
    table.jobs[job.id] = job
    table.unsettled = True
    record = record_of(table, job, JobState.SUCCEEDED, now)
    message = seal(table, job, job.graph.result)
    return [*noted, EndJob(job.id, record), *(Send(worker, message) for worker in openers(table, job, job.graph.result))]


def fail(table: Table, job_id: JobId, state: JobState, error: WireError, now: float) -> list[DriverEffect]:
    """Ends a job badly: its client is told at once, its tasks are cancelled, and then everything is released."""
    if table.jobs[job_id].state is JobState.QUEUED:
        table.queue.remove(job_id)
    effects: list[DriverEffect] = []
    for task in list(table.tasks_of(job_id)):
        resident = task.phase.is_resident
        if move(table, task, Happening.CANCEL) and resident and task.worker is not None:
            effects.append(Send(task.worker, CancelTask(task.attempt)))
    job = replace(table.jobs[job_id], state=state, error=error, ended=now)
    table.jobs[job_id] = job
    table.unsettled = True
    ended = EndJob(job_id, record_of(table, job, state, now))
    return [ended, *fail_result(table, job, error), *effects, *release_ended(table, job_id)]


def fail_result(table: Table, job: JobEntry, error: WireError) -> list[DriverEffect]:
    """Tells who reads a result, or will ask for it, that it has ended."""
    return [Send(worker, FailResult(job.id, error)) for worker in sorted(set(job.pins)) if worker in job.holders]


def withdraw(table: Table, job: JobEntry, error: FlightmeshError) -> list[DriverEffect]:
    """Releases a succeeded job, and tells who still reads its result why that ends."""
    told = fail_result(table, job, error.to_wire()) if job.unread and not job.releasing else []
    return [*told, *release(table, job.id)]


def release_ended(table: Table, job_id: JobId) -> list[DriverEffect]:
    """Releases a job that failed or was cancelled as soon as none of its tasks runs."""
    job = table.jobs[job_id]
    if job.state is JobState.SUCCEEDED or any(task.phase.is_resident for task in table.tasks_of(job_id)):
        return []
    return release(table, job_id)


def release(table: Table, job_id: JobId) -> list[DriverEffect]:
    """Lets every worker drop what it has of a job that has its outcome."""
    job = table.jobs.get(job_id)
    if job is None or job.releasing or table.is_open(job_id):
        return []
    table.jobs[job_id] = replace(job, releasing=True)
    if not job.holders:
        return forget(table, job_id)
    return [Send(worker, ReleaseJob(job_id)) for worker in sorted(job.holders)]


def released(table: Table, job_id: JobId, worker: WorkerId) -> list[DriverEffect]:
    """A worker has nothing of a job any more."""
    job = table.jobs.get(job_id)
    if job is None or not job.releasing:
        return []
    job = replace(job, holders=job.holders - {worker})
    table.jobs[job_id] = job
    table.unsettled = True
    return [] if job.holders else forget(table, job_id)


def forget(table: Table, job_id: JobId) -> list[DriverEffect]:
    """Leaves nothing of a job but its summary."""
    job = table.jobs[job_id]
    if table.history.keeps_any:
        table.history.add(finished_job(table, job))
    table.forget(job_id)
    return [ForgetJob(job_id)]


def note_progress(table: Table, job_id: JobId) -> list[DriverEffect]:
    """Counts anew how far a job is, and tells if that has changed."""
    job = table.jobs[job_id]
    progress = progress_of(table, job)
    if progress == job.progress:
        return []
    table.jobs[job_id] = replace(job, progress=progress)
    return [NoteProgress(job_id, progress)]

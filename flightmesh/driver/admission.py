"""Lets jobs in: so many run side by side, more wait in order, past that they are refused; a job for which nobody is there
waits a little and then fails.

Handed submissions and the time; hands on effects. What always holds: jobs leave the queue in the order in which they came; the
workers of a job's result are known, and have the plan of its last stage, when it leaves the queue.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.choice import Choice
from flightmesh.driver.edge_news import plan_stage
from flightmesh.driver.ending import fail, forget
from flightmesh.driver.entries import JobEntry, Table, TaskEntry
from flightmesh.driver.events import DriverEffect, EndJob, JobSubmitted, NoteProgress, PlaceResult, ResultAt
from flightmesh.driver.graph_edges import edge_plans
from flightmesh.driver.record import JobState, Progress
from flightmesh.driver.recording import record_of
from flightmesh.driver.schedule import candidates
from flightmesh.driver.split_queues import open_queues
from flightmesh.driver.transitions import TaskPhase
from flightmesh.errors import InternalError, NodeUnavailable, ResourceExhausted
from flightmesh.ids import JobId, TaskId

ALONE_SECONDS = 5.0
"""How long a job waits for a worker when there is none."""


def submit(table: Table, event: JobSubmitted, now: float) -> list[DriverEffect]:
    """Puts a job in the queue, or refuses it."""
    if event.job in table.jobs or table.history.find(event.job) is not None:
        raise InternalError(f"job {event.job} was submitted twice")
    graph = event.graph
    table.tasks[event.job] = {
        stage.id: [TaskEntry(TaskId(event.job, stage.id, index)) for index in range(stage.tasks)] for stage in graph.stages
    }
    table.planned[event.job], table.told[event.job] = {}, {}
    progress = Progress(0, len(graph.stages), 0, sum(stage.tasks for stage in graph.stages))
    edges = edge_plans(graph, event.options)
    job = JobEntry(event.job, graph, edges, now, JobState.QUEUED, progress, event.options, moved=now)
    table.jobs[event.job] = job
    if len(table.queue) >= table.config.queued_jobs and not _has_room(table):
        return _refuse(table, job, now)
    table.queue.append(event.job)
    table.unsettled = True
    return []


def admit(table: Table, now: float) -> list[DriverEffect]:
    """Starts jobs of the queue while there is room for more."""
    effects: list[DriverEffect] = []
    while table.queue and _has_room(table) and _can_begin(table, table.jobs[table.queue[0]]):
        effects.extend(_begin(table, table.queue.pop(0), now))
    return effects


def give_up_waiting(table: Table, now: float) -> list[DriverEffect]:
    """Fails jobs that have waited too long for any worker to be there."""
    if table.takers():
        table.alone_since = None
        return []
    table.alone_since = now if table.alone_since is None else table.alone_since
    effects: list[DriverEffect] = []
    for job in list(table.jobs.values()):
        if now - max(job.submitted, table.alone_since) >= ALONE_SECONDS and _waits_for_workers(table, job):
            effects.extend(fail(table, job.id, JobState.FAILED, _nobody(table, job).to_wire(), now))
    return effects


def _has_room(table: Table) -> bool:
    running = sum(job.state is JobState.RUNNING for job in table.jobs.values())
    return running < table.config.running_jobs


def _can_begin(table: Table, job: JobEntry) -> bool:
    """A job whose result is read at workers needs some to pin it to."""
    return job.options.result is ResultAt.HERE or bool(table.takers())


def _begin(table: Table, job_id: JobId, now: float) -> list[DriverEffect]:
    job = table.jobs[job_id] = replace(table.jobs[job_id], state=JobState.RUNNING, started=now, moved=now)
    effects = [*open_queues(table, job_id, job.graph), NoteProgress(job_id, job.progress)]
    if job.options.result is ResultAt.WORKERS:
        effects.extend(_pin(table, job))
    return effects


def _pin(table: Table, job: JobEntry) -> list[DriverEffect]:
    """Decides where the partitions of the result will be, and opens them there."""
    choice, takers, stage = Choice(table), table.takers(), job.result_stage
    pins = tuple(choice.best(task.id, takers) for task in table.tasks[job.id][stage])
    table.jobs[job.id] = replace(job, pins=pins)
    plans = [effect for worker in dict.fromkeys(pins) for effect in plan_stage(table, job.id, stage, worker)]
    return [*plans, PlaceResult(job.id, pins)]


def _refuse(table: Table, job: JobEntry, now: float) -> list[DriverEffect]:
    error = ResourceExhausted(
        f"{len(table.queue)} jobs are waiting already, and {table.config.running_jobs} run",
        hint="submit again when some have ended, or raise mesh.queued_jobs at the driver",
    )
    job = table.jobs[job.id] = replace(job, state=JobState.FAILED, error=error.to_wire(), ended=now)
    return [EndJob(job.id, record_of(table, job, JobState.FAILED, now)), *forget(table, job.id)]


def _waits_for_workers(table: Table, job: JobEntry) -> bool:
    if job.state is JobState.QUEUED:
        return not _can_begin(table, job)
    if job.state is not JobState.RUNNING or candidates(table, job):
        return False
    return any(task.phase is TaskPhase.PENDING for task in table.tasks_of(job.id))


def _nobody(table: Table, job: JobEntry) -> NodeUnavailable:
    there = "those that are left are draining" if table.present() else "none is there"
    return NodeUnavailable(
        f"no worker takes tasks, so job {job.id} cannot run: {there}",
        hint="start one: the driver has printed the line that joins",
    )

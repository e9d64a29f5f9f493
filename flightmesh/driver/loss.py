"""What follows from a worker's being gone: it is fenced, and every job that has something there fails and says so.

Handed a worker and a cause; hands on effects. What always holds: nothing waits for a word of a worker that is gone; jobs that
have nothing there go on.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.ending import fail, fail_result, forget, release, release_ended
from flightmesh.driver.entries import JobEntry, Table, TaskEntry, WorkerEntry
from flightmesh.driver.events import DriverEffect, FenceWorker
from flightmesh.driver.moves import move, move_worker
from flightmesh.driver.record import JobState
from flightmesh.driver.transitions import Happening
from flightmesh.driver.worker_transitions import WorkerHappening, WorkerState
from flightmesh.errors import WorkerLost
from flightmesh.ids import JobId, WorkerId

GONE_WORKERS = 50
"""Workers that are gone and still listed."""

NAMED_TASKS = 3
"""Tasks that an error names one by one."""

AGAIN = "run the query again: the workers that are left can do it"

COME_BACK = "run the query again when that node is back; with replicas (--serve-replica) others can do it"


def lose(table: Table, worker: WorkerId, happening: WorkerHappening, cause: str, now: float) -> list[DriverEffect]:
    """A worker is gone: lost, or by its own will."""
    entry = move_worker(table, worker, happening)
    if entry is None:
        return []
    effects: list[DriverEffect] = [FenceWorker(worker, cause)]
    for job in list(table.jobs):
        if worker in table.jobs[job].holders or (table.runs(job) and table.jobs[job].only_copies(worker)):
            effects.extend(_lose_in(table, job, entry, cause, now))
    _prune(table)
    return effects


def _lose_in(table: Table, job_id: JobId, worker: WorkerEntry, cause: str, now: float) -> list[DriverEffect]:
    job = table.jobs[job_id]
    there = [task for task in table.tasks_of(job_id) if task.worker == worker.id]
    running = [task for task in there if task.phase.is_resident]
    error = _error(job, worker, running, there, cause)
    for task in running:
        if move(table, task, Happening.LOST):
            table.put(replace(table.tasks[job_id][task.id.stage][task.id.index], ended=now))
    was_unread = worker.id in job.unread
    job = table.jobs[job_id] = replace(job, holders=job.holders - {worker.id})
    for stage, planners in table.planned[job_id].items():
        table.planned[job_id][stage] = tuple(planner for planner in planners if planner != worker.id)
    if job.state is JobState.RUNNING:
        return fail(table, job_id, JobState.FAILED, error.to_wire(), now)
    if job.releasing:
        return [] if job.holders else forget(table, job_id)
    if job.state is not JobState.SUCCEEDED:
        return release_ended(table, job_id)
    if not was_unread:
        return []
    job = table.jobs[job_id] = replace(job, state=JobState.FAILED, error=error.to_wire())
    return [*fail_result(table, job, error.to_wire()), *release(table, job_id)]


def _error(job: JobEntry, worker: WorkerEntry, running: list[TaskEntry], there: list[TaskEntry], cause: str) -> WorkerLost:
    """Names the node, the tasks and the cause."""
    verb = "left" if worker.state is WorkerState.LEFT else "was lost"
    if running:
        what = f"while it ran {_named(running)}"
    elif worker.id in job.unread:
        partitions = ", ".join(str(index) for index, pin in enumerate(job.pins) if pin == worker.id)
        what = f"with partition{'s' if ',' in partitions else ''} {partitions} of the result"
    elif there:
        what = f"with the rows of {_named(there)}"
    elif worker.id in job.holders:
        what = f"with a part of job {job.id}"
    else:
        what = f"while job {job.id} read what it serves"
    message, tables = f"worker {worker.known_as} {verb} {what}: {cause}", job.only_copies(worker.id)
    if not tables:
        return WorkerLost(message, hint=AGAIN)
    return WorkerLost(f"{message}; nobody else serves its part of {named_tables(tables)}", hint=COME_BACK)


def named_tables(tables: tuple[str, ...]) -> str:
    """Tables as an error names them."""
    return f"table {tables[0]}" if len(tables) == 1 else f"tables {', '.join(tables)}"


def _named(tasks: list[TaskEntry]) -> str:
    names = ", ".join(str(task.attempt) for task in tasks[:NAMED_TASKS])
    more = f" and {len(tasks) - NAMED_TASKS} more" if len(tasks) > NAMED_TASKS else ""
    return f"task{'s' if len(tasks) > 1 else ''} {names}{more}"


def _prune(table: Table) -> None:
    """Forgets those who have been gone longest, but not those whose files are missed."""
    left = [worker for worker in table.workers.values() if not worker.state.is_present]
    gone = [worker.id for worker in left if not worker.serves or worker.state is WorkerState.LEFT]
    for worker in gone[: max(0, len(gone) - GONE_WORKERS)]:
        del table.workers[worker]

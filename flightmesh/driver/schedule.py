"""Decides which tasks go to which workers now. A pure reading of the driver's table.

What always holds: a task is placed only when every stage before it (producers first, build side before probe) has all of its
tasks placed or its full share of places. So the earliest unfinished stage always has a place: no set of waiting consumers can
keep a producer out; and a consumer that may have enough early is there while its producers still run.
"""

from __future__ import annotations

from collections.abc import Iterator

from flightmesh.driver.entries import Table, TaskEntry
from flightmesh.driver.record import JobState
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import JobId, WorkerId

RESIDENT_PER_SLOT = 4
"""Tasks of one job that a worker admits for each of its slots: those that wait hold no slot."""

RESIDENT_OF_A_STAGE = 2
"""Of these, tasks of one stage while tasks of later stages wait for places."""


def placements(table: Table) -> list[tuple[TaskEntry, WorkerId]]:
    """Tasks to place now, jobs taking turns, each on the worker where its job has most room."""
    rooms = {job: _rooms(table, job) for job, entry in table.jobs.items() if entry.state is JobState.RUNNING}
    pending = {job: _pending(table, job) for job in rooms}
    chosen: list[tuple[TaskEntry, WorkerId]] = []
    while pending:
        for job in list(pending):
            worker = max(rooms[job], key=lambda w: rooms[job][w], default=None)
            task = next(pending[job], None) if worker is not None and rooms[job][worker] > 0 else None
            if task is None or worker is None:
                del pending[job]
                continue
            rooms[job][worker] -= 1
            chosen.append((task, worker))
    return chosen


def _rooms(table: Table, job: JobId) -> dict[WorkerId, int]:
    rooms = {worker.id: worker.slots * RESIDENT_PER_SLOT for worker in table.workers.values()}
    for task in table.tasks_of(job):
        if task.phase.is_resident and task.worker is not None:
            rooms[task.worker] -= 1
    return rooms


def _pending(table: Table, job: JobId) -> Iterator[TaskEntry]:
    """Tasks in the order of the graph (producers before consumers, the build before the probe), each stage up to its share."""
    share = RESIDENT_OF_A_STAGE * sum(worker.slots for worker in table.workers.values())
    for stage in table.jobs[job].graph.stages:
        tasks = table.tasks[job][stage.id]
        room = share - sum(task.phase.is_resident for task in tasks)
        pending = [task for task in tasks if task.phase is TaskPhase.PENDING]
        yield from pending[: max(0, room)]

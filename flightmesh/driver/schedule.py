"""Decides which tasks go to which workers now. A pure reading of the driver's table.

What always holds: a task is placed only when every stage before it (producers first, build side before probe) has all of its
tasks placed or its full share of places. So the earliest unfinished stage always has a place: no set of waiting consumers can
keep a producer out. A single task with a limit is placed at once, on top of the places, so that it can stop its producers; so
is the first task of each stage that reads others' rows in the same job, so that some rows reach the limit early however many
stages lie before it.
"""

from __future__ import annotations

from collections.abc import Iterator

from flightmesh.driver.entries import Table, TaskEntry
from flightmesh.driver.record import JobState
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import JobId, TaskId, WorkerId
from flightmesh.physical.operators import LimitRows, Operator, operator_inputs
from flightmesh.stage.graph import Stage

RESIDENT_PER_SLOT = 4
"""Tasks of one job that a worker admits for each of its slots: those that wait hold no slot."""

RESIDENT_OF_A_STAGE = 2
"""Of these, tasks of one stage while tasks of later stages wait for places."""


def placements(table: Table) -> list[tuple[TaskEntry, WorkerId]]:
    """Tasks to place now, jobs taking turns, each on the worker where its job has most room."""
    rooms = {job: _rooms(table, job) for job, entry in table.jobs.items() if entry.state is JobState.RUNNING and table.workers}
    chosen = [(task, _roomiest(rooms[job])) for job in rooms for task in _early(table, job)]
    pending = {job: _pending(table, job) for job in rooms}
    while pending:
        for job in list(pending):
            worker = _roomiest(rooms[job])
            task = next(pending[job], None) if rooms[job][worker] > 0 else None
            if task is None:
                del pending[job]
                continue
            rooms[job][worker] -= 1
            chosen.append((task, worker))
    return chosen


def _roomiest(rooms: dict[WorkerId, int]) -> WorkerId:
    return max(rooms, key=lambda worker: rooms[worker])


def _rooms(table: Table, job: JobId) -> dict[WorkerId, int]:
    """Free places of each worker for a job."""
    rooms = {worker.id: worker.slots * RESIDENT_PER_SLOT for worker in table.workers.values()}
    early = _early_tasks(table, job)
    for stage in table.jobs[job].graph.stages:
        for task in table.tasks[job][stage.id]:
            if task.phase.is_resident and task.worker is not None and task.id not in early:
                rooms[task.worker] -= 1
    return rooms


def _early_tasks(table: Table, job: JobId) -> set[TaskId]:
    """The tasks that are placed on top of the places."""
    stages = table.jobs[job].graph.stages
    if not any(_is_limit(stage) for stage in stages):
        return set()
    return {table.tasks[job][stage.id][0].id for stage in stages if stage.inputs}


def _early(table: Table, job: JobId) -> Iterator[TaskEntry]:
    """Those of them that wait for being placed."""
    early = _early_tasks(table, job)
    for tasks in table.tasks[job].values():
        yield from (task for task in tasks if task.id in early and task.phase is TaskPhase.PENDING)


def _pending(table: Table, job: JobId) -> Iterator[TaskEntry]:
    """The other tasks in the order of the graph, each stage up to its share."""
    early = _early_tasks(table, job)
    share = RESIDENT_OF_A_STAGE * sum(worker.slots for worker in table.workers.values())
    for stage in table.jobs[job].graph.stages:
        tasks = [task for task in table.tasks[job][stage.id] if task.id not in early]
        room = share - sum(task.phase.is_resident for task in tasks)
        pending = [task for task in tasks if task.phase is TaskPhase.PENDING]
        yield from pending[: max(0, room)]


def _is_limit(stage: Stage) -> bool:
    """Whether a stage is one task that may have enough before its producers have given all."""
    return stage.tasks == 1 and bool(stage.inputs) and _has_limit(stage.root)


def _has_limit(node: Operator) -> bool:
    return (isinstance(node, LimitRows) and node.count is not None) or any(_has_limit(part) for part in operator_inputs(node))

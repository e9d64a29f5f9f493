"""Decides which tasks go to which workers now. A pure reading of the driver's table.

What always holds: a task is placed only when every stage before it (producers first, build side before probe) has all of its
tasks placed or its full share of places; and the earliest stage that waits has at least a task a slot running, with or without
room. So no set of waiting consumers can keep a producer out, also when workers drain or join. No worker is given more than its
even part of a stage's tasks because others have no room: what is left of the stage waits for a place elsewhere. A single task
with a limit is placed at once, on top of the places, so that it can stop its producers; so is the first task of each stage that
reads others' rows in the same job, so that some rows reach the limit early however many stages lie before it. A task that is
pinned goes to its worker, at once and on top of the places: its client waits there. When it is a stage's turn, its first task
at a worker that serves files which it reads goes there, room or not. A draining worker gets none but pinned ones, unless nobody
else is left for a job that it has begun.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from flightmesh.driver.choice import Choice
from flightmesh.driver.entries import JobEntry, Table, TaskEntry, WorkerEntry
from flightmesh.driver.record import JobState
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import StageId, TaskId, WorkerId
from flightmesh.physical.operators import LimitRows, Operator, operator_inputs
from flightmesh.stage.graph import Stage

RESIDENT_PER_SLOT = 4
"""Tasks of one job that a worker admits for each of its slots: those that wait hold no slot."""

RESIDENT_OF_A_STAGE = 2
"""Of these, tasks of one stage while tasks of later stages wait for places."""


def placements(table: Table) -> list[tuple[TaskEntry, WorkerId]]:
    """Tasks to place now, jobs taking turns."""
    jobs = [job for job in table.jobs.values() if job.state is JobState.RUNNING and _waits(table, job)]
    if not jobs:
        return []
    choice = Choice(table)
    rooms = [_JobRoom(table, job, choice) for job in jobs]
    chosen = [placed for room in rooms for placed in room.at_once()]
    waiting = rooms
    while waiting:
        placed = [(room, room.next()) for room in waiting]
        chosen.extend(one for _, one in placed if one is not None)
        waiting = [room for room, one in placed if one is not None]
    return chosen


def candidates(table: Table, job: JobEntry) -> list[WorkerEntry]:
    """Workers that take new tasks of a job."""
    takers = table.takers()
    if takers:
        return takers
    return [worker for worker in table.present() if worker.id in job.holders]


def _waits(table: Table, job: JobEntry) -> bool:
    """Whether a task of a job waits for a place."""
    return any(task.phase is TaskPhase.PENDING for task in table.tasks_of(job.id))


class _JobRoom:
    """The tasks of a job that wait for a place, and the places that it has."""

    def __init__(self, table: Table, job: JobEntry, choice: Choice) -> None:
        self._table = table
        self._job = job
        self._choice = choice
        self._tasks = table.tasks[job.id]
        self._workers = candidates(table, job)
        self._early = self._early_tasks()
        self._rooms = self._places()
        self._pending = deque(self._in_order())
        self._least = self._owed()

    def at_once(self) -> Iterator[tuple[TaskEntry, WorkerId]]:
        """Tasks that are placed on top of the places: pinned ones, and those that lead to a limit."""
        pins = self._job.pins
        if pins:
            for task, worker in zip(self._tasks[self._job.result_stage], pins, strict=True):
                if task.phase is TaskPhase.PENDING:
                    yield task, worker
        for tasks in self._tasks.values() if self._workers else ():
            for task in tasks:
                if task.id in self._early and task.phase is TaskPhase.PENDING:
                    yield task, self._choice.best(task.id, self._workers)

    def next(self) -> tuple[TaskEntry, WorkerId] | None:
        """The next task and its worker, if one waits and there is room."""
        if not self._pending or not self._workers:
            return None
        task = self._pending[0]
        owed = self._least.get(task.id.stage, 0)
        lacking = self._choice.lacking(task.id, self._workers)
        roomy = lacking or self._roomy(task) or (self._workers if owed > 0 else [])
        if not roomy:
            return None
        self._pending.popleft()
        worker = self._choice.best(task.id, roomy)
        self._rooms[worker] -= 1
        self._least[task.id.stage] = owed - 1
        return task, worker

    def _roomy(self, task: TaskEntry) -> list[WorkerEntry]:
        """Workers with room that have less than their even part of the tasks of a task's stage: one that has as much would only
        run them one after the other, where others are free soon."""
        tasks, slots = self._table.stage(task.id).tasks, sum(worker.slots for worker in self._workers)
        return [
            worker
            for worker in self._workers
            if self._rooms[worker.id] > 0 and self._choice.count(task.id, worker.id) * slots < tasks * worker.slots
        ]

    def _owed(self) -> dict[StageId, int]:
        """How many tasks of the earliest stage that waits are placed whether or not there is room: a slot each, at workers that
        take tasks. They have less only when those before them were at a worker that takes no more, or is gone; and all that
        is placed waits for them."""
        if not self._pending:
            return {}
        stage = self._pending[0].id.stage
        there = {worker.id for worker in self._workers}
        placed = sum(task.phase.is_resident and task.worker in there for task in self._tasks[stage])
        return {stage: sum(worker.slots for worker in self._workers) - placed}

    def _places(self) -> dict[WorkerId, int]:
        """Free places of each worker for the job."""
        rooms = {worker.id: worker.slots * RESIDENT_PER_SLOT for worker in self._workers}
        for stage in self._job.graph.stages:
            for task in self._counted(stage):
                if task.phase.is_resident and task.worker in rooms:
                    rooms[task.worker] -= 1
        return rooms

    def _early_tasks(self) -> set[TaskId]:
        stages = self._job.graph.stages
        if not any(_is_limit(stage) for stage in stages):
            return set()
        return {self._tasks[stage.id][0].id for stage in stages if stage.inputs and not self._is_pinned(stage)}

    def _is_pinned(self, stage: Stage) -> bool:
        return bool(self._job.pins) and stage.id == self._job.result_stage

    def _counted(self, stage: Stage) -> list[TaskEntry]:
        """Tasks of a stage that take up places."""
        if self._is_pinned(stage):
            return []
        return [task for task in self._tasks[stage.id] if task.id not in self._early]

    def _in_order(self) -> Iterator[TaskEntry]:
        """The tasks that need places, in the order of the graph, each stage up to its share."""
        share = RESIDENT_OF_A_STAGE * sum(worker.slots for worker in self._workers)
        there = {worker.id for worker in self._workers}
        for stage in self._job.graph.stages:
            tasks = self._counted(stage)
            room = share - sum(task.phase.is_resident and task.worker in there for task in tasks)
            pending = [task for task in tasks if task.phase is TaskPhase.PENDING]
            yield from pending[: max(0, room)]


def _is_limit(stage: Stage) -> bool:
    """Whether a stage is one task that may have enough before its producers have given all."""
    return stage.tasks == 1 and bool(stage.inputs) and _has_limit(stage.root)


def _has_limit(node: Operator) -> bool:
    return (isinstance(node, LimitRows) and node.count is not None) or any(_has_limit(part) for part in operator_inputs(node))

"""Moves tasks and workers on by their transition tables: the only places that change a phase or a state."""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.entries import Table, TaskEntry, WorkerEntry
from flightmesh.driver.transitions import Happening, TaskPhase, Verdict, outcome
from flightmesh.driver.worker_transitions import WorkerHappening, worker_outcome
from flightmesh.errors import InternalError
from flightmesh.ids import TaskId, WorkerId


def move(table: Table, task: TaskEntry, happening: Happening) -> bool:
    """Moves a task on if that is legal; false if it is to be absorbed. Raises InternalError for what must never happen."""
    found = outcome(task.phase, happening)
    if found.verdict is Verdict.ILLEGAL:
        raise InternalError(f"task {task.id} is {task.phase.value} and its worker said: {happening.value}")
    if found.verdict is Verdict.ABSORBED:
        return False
    if found.phase is not task.phase:
        table.put(replace(task, phase=found.phase))
    return True


def phase_after(task: TaskEntry, happening: Happening) -> TaskPhase:
    """The phase that a happening of the driver's own making leads to."""
    found = outcome(task.phase, happening)
    if found.verdict is not Verdict.LEGAL:
        raise InternalError(f"task {task.id} is {task.phase.value}: it cannot {happening.value}")
    return found.phase


def expected(table: Table, task: TaskId, number: int, worker: WorkerId) -> TaskEntry | None:
    """The task that a report is about; None for an attempt that is not the latest, or not at that worker, or of a forgotten
    job."""
    entry = table.task(task)
    if entry is None or entry.number != number or entry.worker not in (None, worker):
        return None
    return entry


def move_worker(table: Table, worker: WorkerId, happening: WorkerHappening) -> WorkerEntry | None:
    """The worker's entry after a legal happening; None where it is to be absorbed, or for a worker that nobody knows."""
    entry = table.workers.get(worker)
    if entry is None:
        return None
    verdict, state = worker_outcome(entry.state, happening)
    if verdict is not Verdict.LEGAL:
        return None
    if state is not entry.state:
        entry = table.workers[worker] = replace(entry, state=state)
        table.unsettled = True
    return entry

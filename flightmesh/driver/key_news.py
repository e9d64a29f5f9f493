"""Dynamic filters whose keys come from one stage and are applied by scans of others: who is told of them, and when.

Handed an edge that was just sealed; hands on orders. What always holds: keys are told only when every task that writes the edge
has finished and said which it wrote, so none is ever missing; who gets the plan of such a stage later gets the keys with it.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.entries import Table, TaskEntry
from flightmesh.driver.events import DriverEffect, Send
from flightmesh.driver.transitions import TaskPhase
from flightmesh.exchange.key_digests import united
from flightmesh.ids import EdgeId, JobId
from flightmesh.protocol.messages import FilterKeys, KeyDigest


def tell_keys(table: Table, job_id: JobId, edge: EdgeId) -> list[DriverEffect]:
    """The keys that came by an edge, to whoever scans with them and has not ended."""
    job = table.jobs[job_id]
    made = job.edges[edge].edge.filters
    if not made:
        return []
    tasks = table.tasks[job_id][job.edges[edge].edge.producer]
    whole = [keys for each in made if (keys := _whole(tasks, each.number)) is not None]
    job = table.jobs[job_id] = replace(job, keys=(*job.keys, *whole))
    _forget_parts(table, job_id, tasks, {each.number for each in made})
    effects: list[DriverEffect] = []
    for keys in whole:
        for stage in job.graph.stages:
            if stage.applies(keys.filter) and not all(task.phase.is_over for task in table.tasks[job_id][stage.id]):
                planners = table.planners(job_id, stage.id)
                effects.extend(Send(worker, FilterKeys(job_id, keys)) for worker in planners)
    return effects


def _whole(tasks: list[TaskEntry], number: int) -> KeyDigest | None:
    """All keys of a filter; None when a task has not said which it wrote: it was stopped, or never ran."""
    parts: list[KeyDigest] = []
    for task in tasks:
        said = () if task.report is None or task.phase is not TaskPhase.FINISHED else task.report.keys
        own = next((keys for keys in said if keys.filter == number), None)
        if own is None:
            return None
        parts.append(own)
    return united(parts) if parts else None


def _forget_parts(table: Table, job_id: JobId, tasks: list[TaskEntry], numbers: set[int]) -> None:
    """What single tasks said of these filters is not needed any more."""
    for task in list(tasks):
        if task.report is not None and task.report.keys:
            kept = tuple(keys for keys in task.report.keys if keys.filter not in numbers)
            table.put(replace(task, report=replace(task.report, keys=kept)))

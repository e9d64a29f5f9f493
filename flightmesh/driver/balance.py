"""Checks that a job's readers got exactly the rows that its writers wrote, before it may succeed."""

from __future__ import annotations

from flightmesh.driver.entries import JobEntry, Table, TaskEntry
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import EdgeId
from flightmesh.protocol.messages import ReadEnd


def imbalance(table: Table, job: JobEntry) -> str | None:
    """What does not balance, in words, or None. A reader that closed an edge before its end is not held to the count."""
    written = _written(table, job)
    for task in table.tasks_of(job.id):
        if task.phase is not TaskPhase.FINISHED or task.report is None:
            continue
        for read in task.report.read:
            plan = job.edges[read.edge]
            expected = sum(written[read.edge][bucket] for bucket in plan.range_of(task.id.index))
            if read.end is ReadEnd.COMPLETE and read.rows != expected:
                return f"task {task.id} read {read.rows} rows of edge {read.edge}, {expected} were written for it"
    return None


def _written(table: Table, job: JobEntry) -> dict[EdgeId, list[int]]:
    written = {edge: [0] * plan.buckets for edge, plan in job.edges.items()}
    for task in table.tasks_of(job.id):
        for edge, rows in _rows(task):
            for bucket, count in enumerate(rows):
                written[edge][bucket] += count
    return written


def _rows(task: TaskEntry) -> list[tuple[EdgeId, tuple[int, ...]]]:
    if task.phase is not TaskPhase.FINISHED or task.report is None:
        return []
    return [(written.edge, written.rows) for written in task.report.written]

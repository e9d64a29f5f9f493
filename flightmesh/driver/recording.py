"""Makes the record of a job from the driver's table: its stages and tasks, and how its edges were read."""

from __future__ import annotations

from flightmesh.catalog.table import Split
from flightmesh.driver.entries import JobEntry, Table, TaskEntry
from flightmesh.driver.record import EdgeRecord, JobRecord, JobState, StageRecord, TaskRecord
from flightmesh.driver.split_queues import holders_of
from flightmesh.protocol.messages import EdgePlan


def record_of(table: Table, job: JobEntry, state: JobState, now: float) -> JobRecord:
    """The record of a job that has just got its outcome, or as far as it is."""
    stages = tuple(
        StageRecord(stage, tuple(_task_record(task) for task in tasks)) for stage, tasks in table.tasks[job.id].items()
    )
    edges = edge_records(table, job)
    return JobRecord(
        job.id, state, job.submitted, now, stages, job.progress, job.error, job.started, edges, job.options.planning
    )


def edge_records(table: Table, job: JobEntry) -> tuple[EdgeRecord, ...]:
    """How each edge of a job was written and read."""
    return tuple(_edge_record(table, job, plan) for plan in job.edges.values())


def _edge_record(table: Table, job: JobEntry, plan: EdgePlan) -> EdgeRecord:
    edge, tasks = plan.edge, table.tasks[job.id]
    written = [w for task in tasks[edge.producer] if task.report is not None for w in task.report.written if w.edge == edge.id]
    ends = [task.ended for task in tasks[edge.producer] if task.worker is not None]
    last = None if any(end is None for end in ends) else max((end for end in ends if end is not None), default=None)
    readers = [] if edge.consumer is None else tasks[edge.consumer]
    starts = [task.started for task in readers if task.started is not None]
    late = sum(last is not None and start >= last for start in starts)
    rows, size = sum(sum(w.rows) for w in written), sum(sum(w.bytes) for w in written)
    return EdgeRecord(edge.id, edge.producer, edge.consumer, plan.mode, rows, size, len(starts) - late, late)


def _task_record(task: TaskEntry) -> TaskRecord:
    report = task.report
    return TaskRecord(
        index=task.id.index,
        state=task.phase,
        worker=task.worker,
        started=task.started,
        ended=task.ended,
        splits=len(task.drawn),
        operators=report.operators if report is not None else (),
        written=report.written if report is not None else (),
        read=report.read if report is not None else (),
        elsewhere=sum(_is_elsewhere(split, task) for _, split in task.drawn),
    )


def _is_elsewhere(split: Split, task: TaskEntry) -> bool:
    holders = holders_of(split)
    return bool(holders) and task.worker not in holders

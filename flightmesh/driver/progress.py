"""How far a job is, counted from its tasks' latest reports."""

from __future__ import annotations

from flightmesh.driver.entries import JobEntry, Table
from flightmesh.driver.record import Progress
from flightmesh.protocol.messages import TaskReport


def scanned(report: TaskReport) -> tuple[int, int]:
    """Rows and bytes that the scans of a task have read."""
    scans = [dict(operator.details) for operator in report.operators if operator.operator == "TableScan"]
    return sum(scan.get("rows_read", 0) for scan in scans), sum(scan.get("bytes_read", 0) for scan in scans)


def progress_of(table: Table, job: JobEntry) -> Progress:
    """Stages and tasks that are over, and what scans have read."""
    stages = table.tasks[job.id].values()
    stages_done = tasks_done = tasks = rows = size = 0
    for stage in stages:
        over = 0
        for task in stage:
            over += task.phase.is_over
            rows += task.scanned[0]
            size += task.scanned[1]
        stages_done += over == len(stage)
        tasks_done += over
        tasks += len(stage)
    return Progress(stages_done, len(stages), tasks_done, tasks, rows, size)

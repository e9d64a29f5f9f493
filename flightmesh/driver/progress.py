"""How far a job is, counted from its tasks' latest reports."""

from __future__ import annotations

from flightmesh.driver.entries import JobEntry, Table
from flightmesh.driver.record import Progress


def progress_of(table: Table, job: JobEntry) -> Progress:
    """Stages and tasks that are over, and what scans have read."""
    stages = table.tasks[job.id].values()
    tasks = list(table.tasks_of(job.id))
    scans = [op for task in tasks if task.report is not None for op in task.report.operators if op.operator == "TableScan"]
    return Progress(
        stages_done=sum(all(task.phase.is_over for task in stage) for stage in stages),
        stages=len(stages),
        tasks_done=sum(task.phase.is_over for task in tasks),
        tasks=len(tasks),
        rows=sum(scan.detail("rows_read") for scan in scans),
        bytes=sum(scan.detail("bytes_read") for scan in scans),
    )

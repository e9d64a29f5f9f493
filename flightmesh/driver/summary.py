"""What people are told of jobs, stages, tasks and workers: read-only views of the driver's table and of finished jobs.

Handed the table; hands on values of `protocol.client_messages`. Times of jobs are the driver's clock plus `epoch`, which is
what its caller adds to make them seconds since the epoch; times of tasks count from the job's submission.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.driver.entries import JobEntry, Table, TaskEntry, WorkerEntry
from flightmesh.driver.history import FinishedJob
from flightmesh.driver.record import EdgeRecord, JobRecord, JobState
from flightmesh.driver.recording import edge_records, record_of
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import JobId
from flightmesh.protocol.client_messages import EdgeStatus, JobStatus, NodeStatus, StageStatus, TaskStatus

SPILLED = "spilled_bytes"
"""The detail of an operator that counts what it, or its exchange, wrote to disk."""
TEXT_SHOWN = 2000
"""Characters of a query that people are told, and that are kept of a finished job."""


def jobs(table: Table, epoch: float) -> tuple[JobStatus, ...]:
    """Finished and open jobs, in the order of their numbers."""
    known = {job.status.job: job.status for job in table.history.jobs()}
    known |= {job.id: _job_status(table, job) for job in table.jobs.values()}
    return tuple(_since_epoch(known[job], epoch) for job in sorted(known))


def status(table: Table, job: JobId, epoch: float) -> JobStatus | None:
    """One job; None for one that is not known, or not any more."""
    entry = table.jobs.get(job)
    if entry is not None:
        return _since_epoch(_job_status(table, entry), epoch)
    finished = table.history.find(job)
    return None if finished is None else _since_epoch(finished.status, epoch)


def stages(table: Table, job: JobId) -> tuple[StageStatus, ...] | None:
    """The stages of a job with their output edges."""
    entry = table.jobs.get(job)
    if entry is not None:
        return _stage_statuses(table, entry)
    finished = table.history.find(job)
    return None if finished is None else finished.stages


def tasks(table: Table, job: JobId) -> tuple[TaskStatus, ...] | None:
    """The tasks of a job."""
    entry = table.jobs.get(job)
    if entry is not None:
        return _task_statuses(table, entry)
    finished = table.history.find(job)
    return None if finished is None else finished.tasks


def record(table: Table, job: JobId, now: float) -> JobRecord | None:
    """The record of a job, as far as it is; None for one that is not known, or whose record is not kept any more."""
    entry = table.jobs.get(job)
    if entry is not None:
        return record_of(table, entry, entry.state, now if entry.ended is None else entry.ended)
    finished = table.history.find(job)
    return None if finished is None else finished.record


def workers(table: Table, now: float) -> tuple[NodeStatus, ...]:
    """Workers by name: those that are there, and the latest that have gone."""
    return tuple(_node_status(worker, now) for worker in sorted(table.workers.values(), key=lambda w: (w.name, w.id)))


def finished_job(table: Table, job: JobEntry) -> FinishedJob:
    """What is kept of a job that is over."""
    known = record_of(table, job, job.state, job.submitted if job.ended is None else job.ended)
    return FinishedJob(_job_status(table, job), _stage_statuses(table, job), _task_statuses(table, job), known)


def _since_epoch(job: JobStatus, epoch: float) -> JobStatus:
    started, ended = (None if time is None else time + epoch for time in (job.started, job.ended))
    return replace(job, submitted=job.submitted + epoch, started=started, ended=ended)


def _job_status(table: Table, job: JobEntry) -> JobStatus:
    p = job.progress
    return JobStatus(
        job=job.id,
        state=job.state.value,
        text=_shown(job.options.text),
        session=job.options.session,
        submitted=job.submitted,
        started=job.started,
        ended=job.ended,
        stages_done=p.stages_done,
        stages=p.stages,
        tasks_done=p.tasks_done,
        tasks=p.tasks,
        rows=p.rows,
        bytes=p.bytes,
        place=table.queue.index(job.id) + 1 if job.state is JobState.QUEUED else 0,
        error=job.error,
    )


def _shown(text: str) -> str:
    return text if len(text) <= TEXT_SHOWN else text[: TEXT_SHOWN - 1] + "…"


def _stage_statuses(table: Table, job: JobEntry) -> tuple[StageStatus, ...]:
    edges = {edge.edge: edge for edge in edge_records(table, job)}
    found = []
    for stage in job.graph.stages:
        entries = table.tasks[job.id][stage.id]
        found.append(
            StageStatus(
                stage=stage.id,
                tasks=len(entries),
                pending=sum(task.phase is TaskPhase.PENDING for task in entries),
                running=sum(task.phase.is_resident for task in entries),
                done=sum(task.phase.is_over for task in entries),
                rows=sum(_rows(task) for task in entries),
                edges=tuple(_edge_status(edges[edge]) for edge in stage.outputs),
            )
        )
    return tuple(found)


def _edge_status(edge: EdgeRecord) -> EdgeStatus:
    return EdgeStatus(edge.edge, edge.mode.value, edge.rows, edge.bytes, edge.pipelined, edge.late)


def _task_statuses(table: Table, job: JobEntry) -> tuple[TaskStatus, ...]:
    return tuple(_task_status(table, job, task) for task in table.tasks_of(job.id))


def _task_status(table: Table, job: JobEntry, task: TaskEntry) -> TaskStatus:
    worker = None if task.worker is None else table.workers.get(task.worker)
    operators = () if task.report is None else task.report.operators
    return TaskStatus(
        stage=task.id.stage,
        index=task.id.index,
        attempt=task.number,
        state=task.phase.value,
        worker=task.worker if worker is None else worker.name or worker.id,
        started=None if task.started is None else task.started - job.submitted,
        ended=None if task.ended is None else task.ended - job.submitted,
        splits=len(task.drawn),
        rows=_rows(task),
        spilled=sum(operator.detail(SPILLED) for operator in operators),
    )


def _rows(task: TaskEntry) -> int:
    """Rows that a task has given: its root operator's."""
    if task.report is None:
        return 0
    if task.report.operators:
        return task.report.operators[0].rows
    return max((sum(written.rows) for written in task.report.written), default=0)


def _node_status(worker: WorkerEntry, now: float) -> NodeStatus:
    return NodeStatus(
        id=worker.id,
        name=worker.name or str(worker.id),
        role="worker",
        state=worker.state.value,
        host=worker.host,
        pid=worker.pid,
        mesh=worker.address.mesh if worker.address is not None else "",
        client=worker.address.client if worker.address is not None else "",
        slots=worker.slots,
        memory=worker.memory,
        seen=now - worker.heard,
        load=worker.load,
        serves=worker.serves,
    )

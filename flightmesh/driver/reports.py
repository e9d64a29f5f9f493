"""What workers report of their tasks, and what follows: seals, success, failure.

Handed a message and who sent it; hands on effects. What always holds: a report of an attempt that is not the latest, of a
forgotten job or older than one heard before changes nothing; what must never happen raises InternalError, which ends its job.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from flightmesh.driver.closing import close_input, inputs_of_ended, openers
from flightmesh.driver.edge_news import seal
from flightmesh.driver.ending import fail, note_progress, release_ended, released, succeed
from flightmesh.driver.entries import Table, TaskEntry
from flightmesh.driver.events import DriverEffect, ResultAt, Send
from flightmesh.driver.key_news import tell_keys
from flightmesh.driver.loss import named_tables
from flightmesh.driver.membership import probe_others
from flightmesh.driver.moves import expected, move
from flightmesh.driver.progress import scanned
from flightmesh.driver.record import JobState
from flightmesh.driver.results import result_dropped, result_read
from flightmesh.driver.split_queues import grant
from flightmesh.driver.transitions import Happening, TaskPhase
from flightmesh.errors import Fault, FlightmeshError, InternalError, NodeUnavailable, StreamBroken, from_wire, without_secrets
from flightmesh.ids import JobId, WorkerId
from flightmesh.protocol.messages import (
    DriverMessage,
    JobReleased,
    OperatorReport,
    ReaderClosed,
    ResultDropped,
    ResultRead,
    TaskReport,
    TaskState,
    WantSplits,
    WireError,
)

_REPORTED = {
    TaskState.RUNNING: Happening.PROGRESSED,
    TaskState.FINISHED: Happening.FINISHED,
    TaskState.FAILED: Happening.FAILED,
    TaskState.CANCELLED: Happening.CANCELLED,
}


def hear_report(table: Table, worker: WorkerId, message: DriverMessage, now: float) -> list[DriverEffect]:
    """What a worker says. Raises InternalError for what must never be said."""
    match message:
        case TaskReport():
            return _report(table, worker, message, now)
        case WantSplits(attempt=attempt):
            task = expected(table, attempt.task, attempt.number, worker)
            if task is None or not move(table, task, Happening.WANTED_SPLITS):
                return []
            _note_motion(table, attempt.task.job, now)
            return grant(table, message)
        case ReaderClosed(attempt=attempt, edge=edge):
            task = expected(table, attempt.task, attempt.number, worker)
            if task is None or not move(table, task, Happening.CLOSED_INPUT) or not table.runs(attempt.task.job):
                return []
            if edge not in table.stage(task.id).inputs:
                raise InternalError(f"attempt {attempt} closed edge {edge}, which it does not read")
            return [*close_input(table, task, edge), *_advance(table, attempt.task.job, now)]
        case ResultRead():
            return result_read(table, worker, message, now)
        case ResultDropped():
            return result_dropped(table, worker, message, now)
        case JobReleased(job=job):
            return released(table, job, worker)
        case _:
            assert_never(message)


def job_of(message: DriverMessage) -> JobId:
    """The job that a message is about."""
    match message:
        case TaskReport(attempt=attempt) | WantSplits(attempt=attempt) | ReaderClosed(attempt=attempt):
            return attempt.task.job
        case ResultRead(job=job) | ResultDropped(job=job) | JobReleased(job=job):
            return job
        case _:
            assert_never(message)


def _report(table: Table, worker: WorkerId, report: TaskReport, now: float) -> list[DriverEffect]:
    task = expected(table, report.attempt.task, report.attempt.number, worker)
    if task is None or report.sequence <= task.sequence:
        return []
    _check_edges(table, task, report)
    if not move(table, task, _REPORTED[report.state]):
        return []
    before = task.report
    task = table.tasks[task.id.job][task.id.stage][task.id.index]
    task = replace(task, report=report, scanned=scanned(report), ended=now if task.phase.is_over else None)
    table.put(task)
    if task.phase.is_over or before is None or _work(report.operators) != _work(before.operators):
        _note_motion(table, task.id.job, now)
    noted = note_progress(table, task.id.job)
    job = table.jobs[task.id.job]
    if job.state is not JobState.RUNNING:
        return [*noted, *release_ended(table, job.id)]
    if task.phase is TaskPhase.FAILED:
        return [*noted, *_task_failed(table, task, report, now)]
    if task.phase is TaskPhase.CANCELLED:
        error = InternalError(f"worker {task.worker} gave up task {report.attempt}").to_wire()
        return [*noted, *fail(table, job.id, JobState.FAILED, error, now)]
    if not task.phase.is_over:
        return noted
    return [*noted, *inputs_of_ended(table, task), *_advance(table, job.id, now)]


def _check_edges(table: Table, task: TaskEntry, report: TaskReport) -> None:
    """Raises InternalError for figures of edges that the task does not have."""
    stage, plans = table.stage(task.id), table.jobs[task.id.job].edges
    for written in report.written:
        if written.edge not in stage.outputs or len(written.rows) != plans[written.edge].buckets:
            raise InternalError(
                f"attempt {report.attempt} says that it wrote buckets of edge {written.edge} that it does not have"
            )
    for read in report.read:
        if read.edge not in stage.inputs:
            raise InternalError(f"attempt {report.attempt} says that it read edge {read.edge}, which it does not")


def _task_failed(table: Table, task: TaskEntry, report: TaskReport, now: float) -> list[DriverEffect]:
    error = report.error or InternalError(f"task {report.attempt} failed and did not say why").to_wire()
    known = from_wire(error)
    told = {**error, **_placed(table, task, known), **_with_source(known, table.jobs[task.id.job].options.source)}
    effects = fail(table, task.id.job, JobState.FAILED, told, now)
    if task.worker is not None and isinstance(known, StreamBroken | NodeUnavailable):
        effects.extend(probe_others(table, task.worker))
    return effects


def _placed(table: Table, task: TaskEntry, error: FlightmeshError) -> WireError:
    """The message of a failure that is not the query's, with the task and the node that it happened at, and what is at stake if
    a node that it names is gone."""
    worker = None if task.worker is None else table.workers.get(task.worker)
    if worker is None or worker.address is None or error.fault is Fault.QUERY:
        return {}
    message = f"task {task.attempt} on worker {worker.known_as}: {error.message}"
    job = table.jobs[task.id.job]
    for other in table.present():
        if other.id != worker.id and other.id in message and (tables := job.only_copies(other.id)):
            message += f"; nobody but {other.known_as} serves its part of {named_tables(tables)}"
    return {"message": message}


def _with_source(error: FlightmeshError, source: str) -> WireError:
    """The text that the error's place is in, for its caret: tasks know places, not texts."""
    if not source or error.text is not None or error.position is None or error.position.source is not None:
        return {}
    return {"text": without_secrets(source)}


def _advance(table: Table, job_id: JobId, now: float) -> list[DriverEffect]:
    """What follows from tasks having ended: seals and success."""
    effects: list[DriverEffect] = []
    job = table.jobs[job_id]
    for edge, plan in job.edges.items():
        if edge in job.sealed or edge == job.graph.result:
            continue
        if all(task.phase.is_over for task in table.tasks[job_id][plan.edge.producer]):
            job = table.jobs[job_id] = replace(job, sealed=job.sealed | {edge})
            message = seal(table, job, edge)
            effects.extend(Send(worker, message) for worker in openers(table, job, edge))
            effects.extend(tell_keys(table, job_id, edge))
            job = table.jobs[job_id]
    if all(task.phase.is_over for task in table.tasks_of(job_id)):
        effects.extend(succeed(table, job, now))
    return effects


def _work(operators: tuple[OperatorReport, ...]) -> tuple[int, int]:
    """What grows while a task is not waiting."""
    return sum(operator.rows for operator in operators), sum(operator.cpu_ns for operator in operators)


def _note_motion(table: Table, job_id: JobId, now: float) -> None:
    """Only results that lie at workers expire when nothing moves."""
    job = table.jobs[job_id]
    if job.options.result is ResultAt.WORKERS:
        table.jobs[job_id] = replace(job, moved=now)

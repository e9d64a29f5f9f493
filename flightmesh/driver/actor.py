"""The driver: an actor that schedules the stages of jobs on workers, follows their tasks and says when a job is done.

Handed events (jobs, splits, reports of workers); hands on effects. What always holds: `step` is the only entrance, it
reads no clock and does no I/O; an edge is sealed once, with its winners; a job succeeds only when rows written and read
balance; a job that has ended leaves nothing here once its workers have released it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from flightmesh.driver.balance import imbalance
from flightmesh.driver.closing import close_input, inputs_of_ended, openers
from flightmesh.driver.entries import JobEntry, Table, TaskEntry, WorkerEntry, record_of
from flightmesh.driver.events import (
    DriverEffect,
    DriverEvent,
    EndJob,
    ForgetJob,
    JobCancelled,
    JobSubmitted,
    NoteProgress,
    ReportReceived,
    ResultTaken,
    Send,
    SplitsFailed,
    SplitsFound,
    WorkerJoined,
)
from flightmesh.driver.graph_edges import edge_plans
from flightmesh.driver.progress import progress_of
from flightmesh.driver.record import JobState, Progress
from flightmesh.driver.schedule import placements
from flightmesh.driver.split_queues import fill_queue, grant, open_queues
from flightmesh.driver.transitions import Happening, TaskPhase, Verdict, outcome
from flightmesh.errors import Cancelled, InternalError
from flightmesh.ids import EdgeId, JobId, TaskId, WorkerId
from flightmesh.protocol.messages import (
    CancelTask,
    CloseBuckets,
    JobReleased,
    PlanStage,
    ReaderClosed,
    ReleaseJob,
    RunTask,
    SealEdge,
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


class Driver:
    """The actor. Its whole state is its table."""

    def __init__(self) -> None:
        self._table = Table()

    def step(self, event: DriverEvent, now: float) -> list[DriverEffect]:
        """The effects of an event at time `now` (seconds of any steady clock)."""
        match event:
            case WorkerJoined(worker=worker, slots=slots):
                self._table.workers[worker] = WorkerEntry(worker, slots)
                return self._schedule(now)
            case JobSubmitted():
                return self._submit(event, now)
            case SplitsFound(job=job, stage=stage, source=source, splits=splits):
                return fill_queue(self._table, job, stage, source, splits) if self._runs(job) else []
            case SplitsFailed(job=job, error=error):
                return self._fail(job, JobState.FAILED, error, now) if self._runs(job) else []
            case ReportReceived(worker=worker, message=message):
                try:
                    return self._hear(worker, message, now)
                except InternalError as error:  # an illegal report ends its job, not the driver
                    job = message.job if isinstance(message, JobReleased) else message.attempt.task.job
                    return self._fail(job, JobState.FAILED, error.to_wire(), now) if self._runs(job) else []
            case JobCancelled(job=job, reason=reason):
                return self._cancel(job, reason, now)
            case ResultTaken(job=job):
                return self._release(job)
            case _:
                assert_never(event)

    @property
    def is_idle(self) -> bool:
        """Whether no job is known."""
        return not (self._table.jobs or self._table.tasks or self._table.queues or self._table.planned)

    def _runs(self, job: JobId) -> bool:
        entry = self._table.jobs.get(job)
        return entry is not None and entry.state is JobState.RUNNING

    def _submit(self, event: JobSubmitted, now: float) -> list[DriverEffect]:
        if event.job in self._table.jobs:
            raise InternalError(f"job {event.job} was submitted twice")
        graph = event.graph
        self._table.tasks[event.job] = {
            stage.id: [TaskEntry(TaskId(event.job, stage.id, index)) for index in range(stage.tasks)] for stage in graph.stages
        }
        progress = Progress(0, len(graph.stages), 0, sum(stage.tasks for stage in graph.stages))
        self._table.jobs[event.job] = JobEntry(event.job, graph, edge_plans(graph), now, JobState.RUNNING, progress)
        effects = open_queues(self._table, event.job, graph)
        return [*effects, NoteProgress(event.job, progress), *self._schedule(now)]

    def _schedule(self, now: float) -> list[DriverEffect]:
        effects: list[DriverEffect] = []
        for task, worker in placements(self._table):
            effects.extend(self._plan(task, worker))
            self._table.put(replace(task, phase=self._after(task, Happening.PLACE), worker=worker, started=now))
            effects.append(Send(worker, RunTask(task.attempt)))
        return effects

    def _plan(self, task: TaskEntry, worker: WorkerId) -> list[DriverEffect]:
        """The plan of a task's stage, if the worker does not have it, with what was said of its edges before: the seals of its
        inputs, the closes of outputs that nobody reads."""
        key = (task.id.job, task.id.stage, worker)
        if key in self._table.planned:
            return []
        self._table.planned.add(key)
        job = self._table.jobs[task.id.job]
        self._table.jobs[job.id] = replace(job, holders=job.holders | {worker})
        stage = job.graph.stage(task.id.stage)
        inputs, outputs = (tuple(job.edges[e] for e in edges) for edges in (stage.inputs, stage.outputs))
        effects: list[DriverEffect] = [Send(worker, PlanStage(job.id, stage, inputs, outputs))]
        for edge in stage.inputs:
            if edge in job.sealed:
                effects.append(Send(worker, self._seal(job, edge)))
        for edge in stage.outputs:
            if edge in job.closed:
                effects.append(Send(worker, CloseBuckets(job.id, edge, 0, job.edges[edge].buckets)))
        return effects

    def _hear(
        self, worker: WorkerId, message: TaskReport | WantSplits | ReaderClosed | JobReleased, now: float
    ) -> list[DriverEffect]:
        match message:
            case TaskReport():
                return self._report(message, now)
            case WantSplits(attempt=attempt):
                task = self._expected(attempt.task, attempt.number)
                if task is None or not self._move(task, Happening.WANTED_SPLITS):
                    return []
                return grant(self._table, message)
            case ReaderClosed(attempt=attempt, edge=edge):
                task = self._expected(attempt.task, attempt.number)
                if task is None or not self._move(task, Happening.CLOSED_INPUT) or not self._runs(attempt.task.job):
                    return []
                return [*close_input(self._table, task, edge), *self._advance(attempt.task.job, now)]
            case JobReleased(job=job):
                return self._released(job, worker)
            case _:
                assert_never(message)

    def _report(self, report: TaskReport, now: float) -> list[DriverEffect]:
        task = self._expected(report.attempt.task, report.attempt.number)
        if task is None or report.sequence <= task.sequence or not self._move(task, _REPORTED[report.state]):
            return []
        task = self._table.task(task.id)
        if task is None:
            raise InternalError(f"task {report.attempt} is not in the table")
        task = replace(task, report=report, ended=now if task.phase.is_over else None)
        self._table.put(task)
        noted = self._note_progress(task.id.job)
        job = self._table.jobs[task.id.job]
        if job.state is not JobState.RUNNING:
            return [*noted, *self._release_ended(job)]
        if task.phase is TaskPhase.FAILED:
            error = report.error or InternalError(f"task {report.attempt} failed and did not say why").to_wire()
            return [*noted, *self._fail(job.id, JobState.FAILED, error, now)]
        if task.phase is TaskPhase.CANCELLED:
            error = InternalError(f"worker {task.worker} gave up task {report.attempt}").to_wire()
            return [*noted, *self._fail(job.id, JobState.FAILED, error, now)]
        if not task.phase.is_over:
            return noted
        return [*noted, *inputs_of_ended(self._table, task), *self._advance(job.id, now)]

    def _advance(self, job_id: JobId, now: float) -> list[DriverEffect]:
        """What follows from tasks having ended: seals, success, tasks that now find room."""
        effects: list[DriverEffect] = []
        job = self._table.jobs[job_id]
        for edge, plan in job.edges.items():
            whole = all(task.phase.is_over for task in self._table.tasks[job_id][plan.edge.producer])
            if whole and edge not in job.sealed and edge != job.graph.result:
                job = self._table.jobs[job_id] = replace(job, sealed=job.sealed | {edge})
                effects.extend(Send(worker, self._seal(job, edge)) for worker in openers(self._table, job, edge))
        if all(task.phase.is_over for task in self._table.tasks_of(job_id)):
            return [*effects, *self._succeed(job, now), *self._schedule(now)]
        return [*effects, *self._schedule(now)]

    def _seal(self, job: JobEntry, edge: EdgeId) -> SealEdge:
        producers = self._table.tasks[job.id][job.edges[edge].edge.producer]
        return SealEdge(job.id, edge, tuple(task.attempt for task in producers if task.phase is TaskPhase.FINISHED))

    def _succeed(self, job: JobEntry, now: float) -> list[DriverEffect]:
        wrong = imbalance(self._table, job)
        if wrong is not None:
            return self._fail(job.id, JobState.FAILED, InternalError(wrong).to_wire(), now)
        noted = self._note_progress(job.id)
        job = replace(self._table.jobs[job.id], state=JobState.SUCCEEDED, sealed=job.sealed | {job.graph.result})
        self._table.jobs[job.id] = job
        record = record_of(self._table, job, JobState.SUCCEEDED, now)
        seals = [Send(worker, self._seal(job, job.graph.result)) for worker in openers(self._table, job, job.graph.result)]
        return [*noted, EndJob(job.id, record), *seals]

    def _note_progress(self, job_id: JobId) -> list[DriverEffect]:
        """Counts anew how far a job is, and tells if that has changed."""
        job = self._table.jobs[job_id]
        progress = progress_of(self._table, job)
        if progress == job.progress:
            return []
        self._table.jobs[job_id] = replace(job, progress=progress)
        return [NoteProgress(job_id, progress)]

    def _cancel(self, job: JobId, reason: str, now: float) -> list[DriverEffect]:
        entry = self._table.jobs.get(job)
        if entry is None:
            return []
        if entry.state is JobState.RUNNING:
            return self._fail(job, JobState.CANCELLED, Cancelled(reason).to_wire(), now)
        return self._release(job) if entry.state is JobState.SUCCEEDED else []

    def _fail(self, job_id: JobId, state: JobState, error: WireError, now: float) -> list[DriverEffect]:
        """Ends a job badly: its client is told at once, its tasks are cancelled, and then everything is released."""
        effects: list[DriverEffect] = []
        for task in list(self._table.tasks_of(job_id)):
            resident = task.phase.is_resident
            if self._move(task, Happening.CANCEL) and resident and task.worker is not None:
                effects.append(Send(task.worker, CancelTask(task.attempt)))
        job = replace(self._table.jobs[job_id], state=state, error=error)
        self._table.jobs[job_id] = job
        ended = EndJob(job_id, record_of(self._table, job, state, now))
        return [ended, *effects, *self._release_ended(job)]

    def _release_ended(self, job: JobEntry) -> list[DriverEffect]:
        """Releases a job that failed or was cancelled as soon as none of its tasks runs."""
        if job.state is JobState.SUCCEEDED or any(task.phase.is_resident for task in self._table.tasks_of(job.id)):
            return []
        return self._release(job.id)

    def _release(self, job_id: JobId) -> list[DriverEffect]:
        job = self._table.jobs.get(job_id)
        if job is None or job.releasing or job.state is JobState.RUNNING:
            return []
        self._table.jobs[job_id] = replace(job, releasing=True)
        if not job.holders:
            return self._forget(job_id)
        return [Send(worker, ReleaseJob(job_id)) for worker in sorted(job.holders)]

    def _released(self, job_id: JobId, worker: WorkerId) -> list[DriverEffect]:
        job = self._table.jobs.get(job_id)
        if job is None or not job.releasing:
            return []
        job = replace(job, holders=job.holders - {worker})
        self._table.jobs[job_id] = job
        return [] if job.holders else self._forget(job_id)

    def _forget(self, job: JobId) -> list[DriverEffect]:
        self._table.forget(job)
        return [ForgetJob(job)]

    def _expected(self, task: TaskId, number: int) -> TaskEntry | None:
        """The task that a report is about; None for an attempt that is not the latest, or of a forgotten job."""
        entry = self._table.task(task)
        return entry if entry is not None and entry.number == number else None

    def _move(self, task: TaskEntry, happening: Happening) -> bool:
        """Moves a task on if that is legal; false if it is to be absorbed."""
        found = outcome(task.phase, happening)
        if found.verdict is Verdict.ILLEGAL:
            raise InternalError(f"task {task.id} is {task.phase.value} and its worker said: {happening.value}")
        if found.verdict is Verdict.ABSORBED:
            return False
        if found.phase is not task.phase:
            self._table.put(replace(task, phase=found.phase))
        return True

    def _after(self, task: TaskEntry, happening: Happening) -> TaskPhase:
        found = outcome(task.phase, happening)
        if found.verdict is not Verdict.LEGAL:
            raise InternalError(f"task {task.id} is {task.phase.value}: it cannot {happening.value}")
        return found.phase

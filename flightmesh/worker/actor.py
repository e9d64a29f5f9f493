"""The worker: an actor that admits tasks, follows their attempts and reports.

Handed events (orders of the driver, news of its own task threads); hands on effects. What always holds: `step` is the only
entrance, it reads no clock and does no I/O; an attempt is started once; a job's data is dropped only when none of its
attempts runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from flightmesh.errors import InternalError
from flightmesh.ids import AttemptId, JobId, StageId
from flightmesh.protocol.messages import (
    CancelTask,
    CloseBuckets,
    GrantSplits,
    JobReleased,
    OperatorReport,
    PlanStage,
    ReaderClosed,
    ReleaseJob,
    RunTask,
    SealEdge,
    StopTask,
    TaskReport,
    TaskState,
    WantSplits,
    WorkerMessage,
)
from flightmesh.worker.events import (
    CancelThread,
    CloseLog,
    DropJob,
    HandSplits,
    InputClosed,
    OpenEdge,
    OrderReceived,
    SealLog,
    SplitsUsedUp,
    StartTask,
    StopThread,
    TaskEnded,
    TaskProgressed,
    Tell,
    WorkerEffect,
    WorkerEvent,
)
from flightmesh.worker.transitions import AttemptState, Happening, Verdict, outcome


@dataclass(frozen=True, slots=True)
class AttemptEntry:
    """One attempt as this worker knows it. `reports`: how many it has sent."""

    state: AttemptState = AttemptState.UNKNOWN
    reports: int = 0


_UNKNOWN = AttemptEntry()


class Worker:
    """The actor. Its whole state is its table of plans and attempts."""

    def __init__(self) -> None:
        self._plans: dict[tuple[JobId, StageId], PlanStage] = {}
        self._attempts: dict[AttemptId, AttemptEntry] = {}
        self._releasing: set[JobId] = set()

    def step(self, event: WorkerEvent, now: float) -> list[WorkerEffect]:
        """The effects of an event. Raises InternalError for what must never happen."""
        match event:
            case OrderReceived(message=message):
                return self._order(message)
            case SplitsUsedUp(attempt=attempt, source=source, number=number):
                if not self._legal(attempt, Happening.SPLITS_USED_UP):
                    return []
                if self._attempts[attempt].state is AttemptState.ENDING:
                    return [HandSplits(attempt, source, number, ())]  # the thread ends at its next check
                return [Tell(WantSplits(attempt, source, number))]
            case InputClosed(attempt=attempt, edge=edge):
                return [Tell(ReaderClosed(attempt, edge))] if self._legal(attempt, Happening.INPUT_CLOSED) else []
            case TaskProgressed(attempt=attempt, operators=operators):
                return self._progress(attempt, operators)
            case TaskEnded():
                return self._ended(event)
            case _:
                assert_never(event)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of any job is left here."""
        return not (self._plans or self._attempts or self._releasing)

    def _order(self, message: WorkerMessage) -> list[WorkerEffect]:
        match message:
            case PlanStage(job=job, stage=stage):
                if (job, stage.id) in self._plans:
                    return []
                self._plans[job, stage.id] = message
                return [OpenEdge(job, plan) for plan in (*message.inputs, *message.outputs)]
            case RunTask(attempt=attempt):
                return self._run(attempt)
            case CancelTask(attempt=attempt):
                return [CancelThread(attempt)] if self._legal(attempt, Happening.CANCEL) else []
            case StopTask(attempt=attempt):
                return [StopThread(attempt)] if self._legal(attempt, Happening.STOP) else []
            case GrantSplits(attempt=attempt, source=source, number=number, splits=splits):
                granted = self._legal(attempt, Happening.SPLITS_GRANTED)
                return [HandSplits(attempt, source, number, splits)] if granted else []
            case SealEdge(job=job, edge=edge, winners=winners):
                return [SealLog(job, edge, winners)] if self._has_job(job) else []
            case CloseBuckets(job=job, edge=edge, first=first, last=last):
                return [CloseLog(job, edge, first, last)] if self._has_job(job) else []
            case ReleaseJob(job=job):
                return self._release(job)
            case _:
                assert_never(message)

    def _run(self, attempt: AttemptId) -> list[WorkerEffect]:
        task = attempt.task
        if task.job in self._releasing:
            return []
        plan = self._plans.get((task.job, task.stage))
        if plan is None:
            raise InternalError(f"task {attempt} came before the plan of its stage")
        if not self._legal(attempt, Happening.RUN):
            return []
        return [StartTask(attempt, plan)]

    def _progress(self, attempt: AttemptId, operators: tuple[OperatorReport, ...]) -> list[WorkerEffect]:
        if not self._legal(attempt, Happening.PROGRESSED):
            return []
        return [Tell(TaskReport(attempt, self._number(attempt), TaskState.RUNNING, operators))]

    def _ended(self, event: TaskEnded) -> list[WorkerEffect]:
        if not self._legal(event.attempt, Happening.ENDED):
            return []
        number = self._number(event.attempt)
        report = TaskReport(event.attempt, number, event.state, event.operators, event.written, event.read, event.error)
        effects: list[WorkerEffect] = [Tell(report)]
        job = event.attempt.task.job
        if job in self._releasing and not self._running(job):
            effects.extend(self._drop(job))
        return effects

    def _release(self, job: JobId) -> list[WorkerEffect]:
        if job in self._releasing:
            return []
        if not self._has_job(job):
            return [Tell(JobReleased(job))]
        running = self._running(job)
        if not running:
            return self._drop(job)
        self._releasing.add(job)
        return [CancelThread(attempt) for attempt in running if self._legal(attempt, Happening.CANCEL)]

    def _drop(self, job: JobId) -> list[WorkerEffect]:
        self._releasing.discard(job)
        self._plans = {key: plan for key, plan in self._plans.items() if key[0] != job}
        self._attempts = {attempt: entry for attempt, entry in self._attempts.items() if attempt.task.job != job}
        return [DropJob(job), Tell(JobReleased(job))]

    def _running(self, job: JobId) -> list[AttemptId]:
        live = (AttemptState.RUNNING, AttemptState.ENDING)
        return sorted(a for a, entry in self._attempts.items() if a.task.job == job and entry.state in live)

    def _has_job(self, job: JobId) -> bool:
        return any(key[0] == job for key in self._plans)

    def _number(self, attempt: AttemptId) -> int:
        entry = self._attempts[attempt]
        self._attempts[attempt] = replace(entry, reports=entry.reports + 1)
        return entry.reports

    def _legal(self, attempt: AttemptId, happening: Happening) -> bool:
        """Moves the attempt on if the transition is legal; false if it is to be absorbed."""
        entry = self._attempts.get(attempt, _UNKNOWN)
        found = outcome(entry.state, happening)
        if found.verdict is Verdict.ILLEGAL:
            raise InternalError(f"attempt {attempt} is {entry.state.value} and was told: {happening.value}")
        if found.verdict is Verdict.ABSORBED:
            return False
        self._attempts[attempt] = replace(entry, state=found.state)
        return True

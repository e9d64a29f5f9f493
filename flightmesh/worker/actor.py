"""The worker: an actor that admits tasks, follows their attempts and reports.

Handed events (orders of the driver, news of its own task threads); hands on effects. What always holds: `step` is the only
entrance, it reads no clock and does no I/O; an attempt is started once; a job's data is dropped only when none of its
attempts runs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError
from flightmesh.ids import AttemptId, EdgeId, JobId, StageId
from flightmesh.protocol.messages import (
    CancelTask,
    CloseBuckets,
    EdgeReaders,
    EdgeSources,
    FailResult,
    FilterKeys,
    GrantSplits,
    JobReleased,
    OperatorReport,
    PlanStage,
    ReaderClosed,
    ReleaseJob,
    ResultDropped,
    ResultRead,
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
    FailStreams,
    HandSplits,
    HoldKeys,
    InputClosed,
    NoteSources,
    OpenEdge,
    OrderReceived,
    PushTo,
    ResultStreamDropped,
    ResultStreamEnded,
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
        self._edges: dict[JobId, set[EdgeId]] = {}
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
            case ResultStreamEnded(job=job, partition=partition):
                return [Tell(ResultRead(job, partition))] if self._keeps(job) else []
            case ResultStreamDropped(job=job, partition=partition):
                return [Tell(ResultDropped(job, partition))] if self._keeps(job) else []
            case _:
                assert_never(event)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of any job is left here."""
        return not (self._plans or self._attempts or self._releasing)

    def _order(self, message: WorkerMessage) -> list[WorkerEffect]:
        match message:
            case PlanStage():
                return self._plan(message)
            case RunTask(attempt=attempt):
                return self._run(attempt)
            case CancelTask(attempt=attempt):
                return [CancelThread(attempt)] if self._legal(attempt, Happening.CANCEL) else []
            case StopTask(attempt=attempt):
                return [StopThread(attempt)] if self._legal(attempt, Happening.STOP) else []
            case GrantSplits(attempt=attempt, source=source, number=number, splits=splits):
                granted = self._legal(attempt, Happening.SPLITS_GRANTED)
                return [HandSplits(attempt, source, number, splits)] if granted else []
            case EdgeSources() | EdgeReaders() | SealEdge() | CloseBuckets():
                return self._edge_order(message)
            case FilterKeys(job=job, keys=keys):
                return [HoldKeys(job, keys)] if self._keeps(job) else []
            case FailResult(job=job, error=error):
                return [FailStreams(job, error)]
            case ReleaseJob(job=job):
                return self._release(job)
            case _:
                assert_never(message)

    def _edge_order(self, message: EdgeSources | EdgeReaders | SealEdge | CloseBuckets) -> list[WorkerEffect]:
        """What an order about an edge asks for; nothing when no plan here has the edge: it comes late, or too early."""
        if message.edge not in self._edges.get(message.job, ()):
            return []
        match message:
            case EdgeSources(job=job, edge=edge, sources=sources):
                return [NoteSources(job, edge, sources)]
            case EdgeReaders(job=job, edge=edge, readers=readers):
                return [PushTo(job, edge, readers)] if self._keeps(job) else []
            case SealEdge(job=job, edge=edge, winners=winners, sources=sources):
                return [SealLog(job, edge, winners, sources)]
            case CloseBuckets(job=job, edge=edge, first=first, last=last):
                return [CloseLog(job, edge, first, last)]
            case _:
                assert_never(message)

    def _plan(self, plan: PlanStage) -> list[WorkerEffect]:
        if (plan.job, plan.stage.id) in self._plans:
            return []
        self._plans[plan.job, plan.stage.id] = plan
        ends = (*plan.inputs, *plan.outputs)
        self._edges.setdefault(plan.job, set()).update(end.edge.id for end in ends)
        return [OpenEdge(plan.job, end) for end in ends]

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
        report = TaskReport(
            event.attempt, number, event.state, event.operators, event.written, event.read, event.error, event.keys
        )
        effects: list[WorkerEffect] = [Tell(report)]
        job = event.attempt.task.job
        if job in self._releasing and not self._running(job):
            effects.extend(self._drop(job))
        return effects

    def _release(self, job: JobId) -> list[WorkerEffect]:
        if job in self._releasing:
            return []
        if job not in self._edges:
            return [Tell(JobReleased(job))]
        running = self._running(job)
        if not running:
            return self._drop(job)
        self._releasing.add(job)
        return [CancelThread(attempt) for attempt in running if self._legal(attempt, Happening.CANCEL)]

    def _drop(self, job: JobId) -> list[WorkerEffect]:
        self._releasing.discard(job)
        self._edges.pop(job, None)
        self._plans = {key: plan for key, plan in self._plans.items() if key[0] != job}
        self._attempts = {attempt: entry for attempt, entry in self._attempts.items() if attempt.task.job != job}
        return [DropJob(job), Tell(JobReleased(job))]

    def _running(self, job: JobId) -> list[AttemptId]:
        live = (AttemptState.RUNNING, AttemptState.ENDING)
        return sorted(a for a, entry in self._attempts.items() if a.task.job == job and entry.state in live)

    def _keeps(self, job: JobId) -> bool:
        """Whether the job is known here and not about to go."""
        return job in self._edges and job not in self._releasing

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
        if found.state is not entry.state:
            self._attempts[attempt] = replace(entry, state=found.state)
        return True

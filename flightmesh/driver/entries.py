"""The driver's table: frozen entries of workers, jobs, stages and tasks in dictionaries that only the actor changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flightmesh.catalog.table import Split
from flightmesh.driver.record import JobRecord, JobState, Progress, StageRecord, TaskRecord
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import AttemptId, EdgeId, JobId, StageId, TaskId, WorkerId
from flightmesh.protocol.messages import EdgePlan, TaskReport, WantSplits, WireError
from flightmesh.stage.graph import Stage, StageGraph


@dataclass(frozen=True, slots=True)
class WorkerEntry:
    """A worker and its slots."""

    id: WorkerId
    slots: int


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """A task: its phase, its latest attempt, where that runs, its latest report, how many splits it drew."""

    id: TaskId
    phase: TaskPhase = TaskPhase.PENDING
    number: int = 0
    worker: WorkerId | None = None
    report: TaskReport | None = None
    started: float | None = None
    ended: float | None = None
    drawn: tuple[tuple[int, Split], ...] = ()
    closed: frozenset[EdgeId] = frozenset()

    @property
    def attempt(self) -> AttemptId:
        """The latest try at this task."""
        return AttemptId(self.id, self.number)

    @property
    def sequence(self) -> int:
        """Number of the latest report, -1 before the first."""
        return -1 if self.report is None else self.report.sequence


@dataclass(frozen=True, slots=True)
class SplitQueue:
    """The splits of one scan of a stage. `splits` None: not listed yet; `waiting`: requests from before they were."""

    splits: tuple[Split, ...] | None = None
    next: int = 0
    waiting: tuple[WantSplits, ...] = ()


@dataclass(frozen=True, slots=True)
class JobEntry:
    """A job. `holders`: workers that have something of it; `releasing`: they have been told to drop it. Of `closed` edges
    nobody reads more; of `sealed` ones nothing more is written."""

    id: JobId
    graph: StageGraph
    edges: dict[EdgeId, EdgePlan]
    submitted: float
    state: JobState
    progress: Progress
    error: WireError | None = None
    sealed: frozenset[EdgeId] = frozenset()
    closed: frozenset[EdgeId] = frozenset()
    holders: frozenset[WorkerId] = frozenset()
    releasing: bool = False


@dataclass(slots=True)
class Table:
    """Everything that a driver knows."""

    workers: dict[WorkerId, WorkerEntry] = field(default_factory=dict)
    jobs: dict[JobId, JobEntry] = field(default_factory=dict)
    tasks: dict[JobId, dict[StageId, list[TaskEntry]]] = field(default_factory=dict)
    queues: dict[tuple[JobId, StageId, int], SplitQueue] = field(default_factory=dict)
    planned: set[tuple[JobId, StageId, WorkerId]] = field(default_factory=set)

    def task(self, task: TaskId) -> TaskEntry | None:
        """A task of a job that is still known."""
        stages = self.tasks.get(task.job)
        entries = stages.get(task.stage) if stages is not None else None
        return entries[task.index] if entries is not None and 0 <= task.index < len(entries) else None

    def put(self, entry: TaskEntry) -> None:
        """Replaces a task's entry."""
        self.tasks[entry.id.job][entry.id.stage][entry.id.index] = entry

    def tasks_of(self, job: JobId) -> Iterator[TaskEntry]:
        """All tasks of a job, stage by stage."""
        for entries in self.tasks[job].values():
            yield from entries

    def stage(self, task: TaskId) -> Stage:
        """The stage of a task."""
        return self.jobs[task.job].graph.stage(task.stage)

    def forget(self, job: JobId) -> None:
        """Drops a job from every dictionary."""
        del self.jobs[job]
        del self.tasks[job]
        self.queues = {key: queue for key, queue in self.queues.items() if key[0] != job}
        self.planned = {key for key in self.planned if key[0] != job}


def record_of(table: Table, job: JobEntry, state: JobState, now: float) -> JobRecord:
    """The record of a job that has just got its outcome."""
    stages = tuple(
        StageRecord(stage, tuple(_task_record(task) for task in tasks)) for stage, tasks in table.tasks[job.id].items()
    )
    return JobRecord(job.id, state, job.submitted, now, stages, job.progress, job.error)


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
    )

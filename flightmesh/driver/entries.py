"""The driver's table: frozen entries of workers, jobs, stages and tasks in dictionaries that only the actor changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import TypeAlias

from flightmesh.catalog.table import FileTable, Split
from flightmesh.config import MeshConfig
from flightmesh.dataclass import dataclass
from flightmesh.driver.events import IN_PROCESS, JobOptions
from flightmesh.driver.history import History
from flightmesh.driver.record import JobState, Progress
from flightmesh.driver.transitions import TaskPhase
from flightmesh.driver.worker_transitions import WorkerState
from flightmesh.ids import AttemptId, EdgeId, JobId, StageId, TaskId, WorkerId
from flightmesh.protocol.messages import EdgePlan, KeyDigest, TaskReport, WantSplits, WireError
from flightmesh.protocol.node_messages import Load, NodeAddress, Serving
from flightmesh.stage.graph import Stage, StageGraph


@dataclass(frozen=True, slots=True)
class WorkerEntry:
    """A worker. `address`: None for the one in this process, which never goes silent. `heard`, `probed`: when it was
    last heard of and probed for its silence; `released`: it was given leave to go; `serves`: tables of which it has files."""

    id: WorkerId
    slots: int
    name: str = ""
    address: NodeAddress | None = None
    memory: int = 0
    host: str = ""
    pid: int = 0
    state: WorkerState = WorkerState.ALIVE
    heard: float = 0.0
    probed: float = 0.0
    load: Load | None = None
    released: bool = False
    serves: tuple[Serving, ...] = ()

    @property
    def known_as(self) -> str:
        """Its name and id, as people read them."""
        return f"{self.name} ({self.id})" if self.name and self.name != self.id else str(self.id)


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """A task: its phase, its latest attempt, where that runs, its latest report, the splits that it drew, each with its
    scan. `grants`: of which scan and how many were given it at each of its requests; 0: it was told that none are left.
    `scanned`: rows and bytes that its scans have read, by that report."""

    id: TaskId
    phase: TaskPhase = TaskPhase.PENDING
    number: int = 0
    worker: WorkerId | None = None
    report: TaskReport | None = None
    scanned: tuple[int, int] = (0, 0)
    started: float | None = None
    ended: float | None = None
    drawn: tuple[tuple[int, Split], ...] = ()
    grants: tuple[tuple[int, int], ...] = ()
    closed: frozenset[EdgeId] = frozenset()

    @property
    def attempt(self) -> AttemptId:
        """The latest try at this task."""
        return AttemptId(self.id, self.number)

    def has_all(self, source: int) -> bool:
        """Whether it was told that no more splits of a scan are left for it."""
        return (source, 0) in self.grants

    @property
    def sequence(self) -> int:
        """Number of the latest report, -1 before the first."""
        return -1 if self.report is None else self.report.sequence


Holders: TypeAlias = tuple[str, ...]
"""Workers that all have the same rows."""


@dataclass(frozen=True, slots=True)
class Share:
    """Splits of a scan that lie at one place, and how many of them have been drawn. `stays`: they are read there as long as a
    task will be."""

    splits: tuple[Split, ...]
    next: int = 0
    stays: bool = False

    @property
    def left(self) -> int:
        """Splits that nobody has drawn."""
        return len(self.splits) - self.next


@dataclass(frozen=True, slots=True)
class SplitQueue:
    """The splits of one scan of a stage, by the workers that hold them (none: nobody in particular). `shares` None: not listed
    yet; `waiting`: requests from before they were."""

    shares: dict[Holders, Share] | None = None
    waiting: tuple[WantSplits, ...] = ()


@dataclass(frozen=True, slots=True)
class JobEntry:
    """A job. `holders`: workers that have something of it; `releasing`: they have been told to drop it. Of `closed` edges
    nobody reads more, of `dropped` buckets (edge, first, last) neither; of `sealed` ones nothing more is written. `pins`: the
    workers of the result's partitions, of which `read` ones were read to their end. `moved`: when its tasks last said something
    new. `keys`: of its dynamic filters, as far as they are whole."""

    id: JobId
    graph: StageGraph
    edges: dict[EdgeId, EdgePlan]
    submitted: float
    state: JobState
    progress: Progress
    options: JobOptions = IN_PROCESS
    started: float | None = None
    ended: float | None = None
    moved: float = 0.0
    error: WireError | None = None
    sealed: frozenset[EdgeId] = frozenset()
    closed: frozenset[EdgeId] = frozenset()
    dropped: tuple[tuple[EdgeId, int, int], ...] = ()
    holders: frozenset[WorkerId] = frozenset()
    releasing: bool = False
    pins: tuple[WorkerId, ...] = ()
    read: frozenset[int] = frozenset()
    keys: tuple[KeyDigest, ...] = ()

    @property
    def unread(self) -> frozenset[WorkerId]:
        """Workers with a partition of the result that was not read to its end."""
        return frozenset(worker for index, worker in enumerate(self.pins) if index not in self.read)

    def only_copies(self, worker: WorkerId) -> tuple[str, ...]:
        """Names of the tables that it reads and of which nobody else serves what this worker does."""
        tables = (scan.table for stage in self.graph.stages for scan in stage.scans)
        served = (table for table in tables if isinstance(table, FileTable) and table.is_served)
        return tuple(dict.fromkeys(t.name for t in served if any(file.holders == (worker,) for file in t.files)))

    @property
    def result_stage(self) -> StageId:
        """The last stage, whose tasks make the result's partitions."""
        return self.edges[self.graph.result].edge.producer


@dataclass(slots=True)
class Table:
    """Everything that a driver knows. `queue`: jobs that wait for their turn, in order; `told`: what workers were last told of
    the other end of an edge; `unsettled`: something has changed that may let a task or a job start; `alone_since`: since when
    there has been no worker that takes tasks; `ticked`: the last look at deadlines."""

    config: MeshConfig
    history: History
    workers: dict[WorkerId, WorkerEntry] = field(default_factory=dict)
    jobs: dict[JobId, JobEntry] = field(default_factory=dict)
    queue: list[JobId] = field(default_factory=list)
    tasks: dict[JobId, dict[StageId, list[TaskEntry]]] = field(default_factory=dict)
    queues: dict[tuple[JobId, StageId, int], SplitQueue] = field(default_factory=dict)
    planned: dict[JobId, dict[StageId, tuple[WorkerId, ...]]] = field(default_factory=dict)
    told: dict[JobId, dict[tuple[EdgeId, str, WorkerId], frozenset[object]]] = field(default_factory=dict)
    unsettled: bool = False
    alone_since: float | None = None
    ticked: float | None = None

    def present(self) -> list[WorkerEntry]:
        """Workers that are there, draining ones too."""
        return [worker for worker in self.workers.values() if worker.state.is_present]

    def takers(self) -> list[WorkerEntry]:
        """Workers that take new tasks."""
        return [worker for worker in self.workers.values() if worker.state is WorkerState.ALIVE]

    def task(self, task: TaskId) -> TaskEntry | None:
        """A task of a job that is still known."""
        stages = self.tasks.get(task.job)
        entries = stages.get(task.stage) if stages is not None else None
        return entries[task.index] if entries is not None and 0 <= task.index < len(entries) else None

    def put(self, entry: TaskEntry) -> None:
        """Replaces a task's entry."""
        entries = self.tasks[entry.id.job][entry.id.stage]
        if entries[entry.id.index].phase is not entry.phase:
            self.unsettled = True
        entries[entry.id.index] = entry

    def tasks_of(self, job: JobId) -> Iterator[TaskEntry]:
        """All tasks of a job, stage by stage."""
        for entries in self.tasks[job].values():
            yield from entries

    def stage(self, task: TaskId) -> Stage:
        """The stage of a task."""
        return self.jobs[task.job].graph.stage(task.stage)

    def planners(self, job: JobId, stage: StageId | None) -> tuple[WorkerId, ...]:
        """Workers that have the plan of a stage."""
        return () if stage is None else self.planned[job].get(stage, ())

    def runs(self, job: JobId) -> bool:
        """Whether a job has begun and has no outcome yet."""
        entry = self.jobs.get(job)
        return entry is not None and entry.state is JobState.RUNNING

    def is_open(self, job: JobId) -> bool:
        """Whether a job has no outcome yet."""
        entry = self.jobs.get(job)
        return entry is not None and entry.state in (JobState.QUEUED, JobState.RUNNING)

    def forget(self, job: JobId) -> None:
        """Drops a job from every dictionary."""
        del self.jobs[job]
        del self.tasks[job]
        del self.planned[job]
        del self.told[job]
        self.queues = {key: queue for key, queue in self.queues.items() if key[0] != job}
        self.unsettled = True

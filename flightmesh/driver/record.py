"""What is told of a job: its progress while it runs, its record when it has ended. Values for sessions, `analyze` and tests."""

from __future__ import annotations

import enum

from flightmesh.dataclass import dataclass
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import EdgeId, JobId, StageId, WorkerId
from flightmesh.protocol.messages import ExchangeMode, OperatorReport, Read, WireError, Written


class JobState(enum.Enum):
    """How a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: stages and tasks, and the rows and bytes that its scans have read."""

    stages_done: int
    stages: int
    tasks_done: int
    tasks: int
    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task: where and when it ran (seconds of the driver's clock), what it drew, did, wrote and read. `elsewhere`: those of
    its splits whose rows lie at other workers, and not at its own."""

    index: int
    state: TaskPhase
    worker: WorkerId | None
    started: float | None
    ended: float | None
    splits: int
    operators: tuple[OperatorReport, ...]
    written: tuple[Written, ...]
    read: tuple[Read, ...]
    elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage with its tasks in order."""

    stage: StageId
    tasks: tuple[TaskRecord, ...]


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """One edge: what was written on it, and how many of its reading tasks started before its last producer ended (`pipelined`)
    and how many after (`late`). The client, whose edge has no consumer, counts as neither."""

    edge: EdgeId
    producer: StageId
    consumer: StageId | None
    mode: ExchangeMode
    rows: int
    bytes: int
    pipelined: int
    late: int


@dataclass(frozen=True, slots=True)
class Planning:
    """How a job came by its plan: in how many seconds, from the text on, and whether an earlier statement's was `kept`."""

    seconds: float
    kept: bool


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A whole job. `error` comes with FAILED and CANCELLED; `started` is None for one that never left the queue. `planning` is
    None where nobody planned it from a statement."""

    job: JobId
    state: JobState
    submitted: float
    ended: float
    stages: tuple[StageRecord, ...]
    progress: Progress
    error: WireError | None = None
    started: float | None = None
    edges: tuple[EdgeRecord, ...] = ()
    planning: Planning | None = None

    @property
    def seconds(self) -> float:
        """From submission to outcome."""
        return self.ended - self.submitted

"""What a driver is told (events, past tense) and what it asks its runtime to do (effects, imperative)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from flightmesh.catalog.table import Split
from flightmesh.driver.record import JobRecord, Progress
from flightmesh.ids import JobId, StageId, WorkerId
from flightmesh.physical.operators import TableScan
from flightmesh.protocol.messages import DriverMessage, WireError, WorkerMessage
from flightmesh.stage.graph import StageGraph


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker with so many slots is there."""

    worker: WorkerId
    slots: int


@dataclass(frozen=True, slots=True)
class JobSubmitted:
    """A client wants a graph run. Job numbers are never used twice."""

    job: JobId
    graph: StageGraph


@dataclass(frozen=True, slots=True)
class SplitsFound:
    """The splits of a scan, as asked for by `FindSplits`."""

    job: JobId
    stage: StageId
    source: int
    splits: tuple[Split, ...]


@dataclass(frozen=True, slots=True)
class SplitsFailed:
    """The splits of a scan could not be found."""

    job: JobId
    stage: StageId
    source: int
    error: WireError


@dataclass(frozen=True, slots=True)
class ReportReceived:
    """A message of a worker came."""

    worker: WorkerId
    message: DriverMessage


@dataclass(frozen=True, slots=True)
class JobCancelled:
    """The client does not want a job any more."""

    job: JobId
    reason: str


@dataclass(frozen=True, slots=True)
class ResultTaken:
    """The client has read the whole result of a job."""

    job: JobId


DriverEvent: TypeAlias = WorkerJoined | JobSubmitted | SplitsFound | SplitsFailed | ReportReceived | JobCancelled | ResultTaken


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to a worker."""

    worker: WorkerId
    message: WorkerMessage


@dataclass(frozen=True, slots=True)
class FindSplits:
    """List the splits of a scan and answer with `SplitsFound` or `SplitsFailed`."""

    job: JobId
    stage: StageId
    scan: TableScan


@dataclass(frozen=True, slots=True)
class NoteProgress:
    """Tell who watches a job how far it is."""

    job: JobId
    progress: Progress


@dataclass(frozen=True, slots=True)
class EndJob:
    """A job has its outcome. A succeeded one's result is sealed and waits for its reader; of others nothing is left to read."""

    job: JobId
    record: JobRecord


@dataclass(frozen=True, slots=True)
class ForgetJob:
    """Nothing of a job is left on any worker."""

    job: JobId


DriverEffect: TypeAlias = Send | FindSplits | NoteProgress | EndJob | ForgetJob

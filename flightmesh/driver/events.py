"""What a driver is told (events, past tense) and what it asks its runtime to do (effects, imperative)."""

from __future__ import annotations

import enum
from typing import TypeAlias

from flightmesh.catalog.table import Split
from flightmesh.dataclass import dataclass
from flightmesh.driver.record import JobRecord, Planning, Progress
from flightmesh.ids import JobId, StageId, WorkerId
from flightmesh.physical.operators import TableScan
from flightmesh.protocol.client_messages import Delivery
from flightmesh.protocol.messages import DriverMessage, ExchangeMode, WireError, WorkerMessage
from flightmesh.protocol.node_messages import Drain, Load, NodeAddress, Serving
from flightmesh.stage.graph import StageGraph


class ResultAt(enum.Enum):
    """Who reads a job's result: its submitter in this process, from the one worker here; or a client, by tickets, from the
    workers that its result tasks are pinned to."""

    HERE = "here"
    WORKERS = "workers"


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How a job is to be run. `text`, `session`, `planning`: for people. `keep`: seconds that an unread result stays.
    `source`: the text that places in errors are in, if it is one."""

    result: ResultAt = ResultAt.HERE
    mode: ExchangeMode = ExchangeMode.GET
    delivery: Delivery = Delivery.STREAMED
    session: str = ""
    text: str = ""
    keep: float = 300.0
    planning: Planning | None = None
    source: str = ""


IN_PROCESS = JobOptions()


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker with so many slots is there. `name`: what people call it; `address`: None for the one in this process; `serves`:
    tables of which it serves files."""

    worker: WorkerId
    slots: int
    name: str = ""
    address: NodeAddress | None = None
    memory: int = 0
    host: str = ""
    pid: int = 0
    serves: tuple[Serving, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerHeard:
    """A worker says that it is alive, how loaded, and whether it takes new tasks."""

    worker: WorkerId
    load: Load
    drain: Drain


@dataclass(frozen=True, slots=True)
class WorkerUnreachable:
    """A message, or the answer to `ProbeWorker`, could not be delivered: nobody listens there any more."""

    worker: WorkerId
    cause: str


@dataclass(frozen=True, slots=True)
class WorkerLeft:
    """A worker has gone by its own will."""

    worker: WorkerId
    reason: str


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed. Comes some times a second; deadlines are looked at."""


@dataclass(frozen=True, slots=True)
class JobSubmitted:
    """A client wants a graph run. Job numbers are never used twice."""

    job: JobId
    graph: StageGraph
    options: JobOptions = IN_PROCESS


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


DriverEvent: TypeAlias = (
    WorkerJoined
    | WorkerHeard
    | WorkerUnreachable
    | WorkerLeft
    | Ticked
    | JobSubmitted
    | SplitsFound
    | SplitsFailed
    | ReportReceived
    | JobCancelled
    | ResultTaken
)


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


@dataclass(frozen=True, slots=True)
class PlaceResult:
    """Tell the client where its result will be: partition i, which task i of the last stage makes, at `places[i]`. Comes once
    a job, when it leaves the queue; those workers have been sent the plan of the last stage."""

    job: JobId
    places: tuple[WorkerId, ...]


@dataclass(frozen=True, slots=True)
class ProbeWorker:
    """A worker has been silent: see whether anybody listens at its address. Refused: `WorkerUnreachable`. No answer: nothing,
    its time goes on running out."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class FenceWorker:
    """A worker is lost or has left: refuse whatever it still says, drop what waits to be sent to it."""

    worker: WorkerId
    cause: str


@dataclass(frozen=True, slots=True)
class ReleaseWorker:
    """A draining worker has nothing left that any job needs: its next heartbeat is answered with leave to go."""

    worker: WorkerId


DriverEffect: TypeAlias = (
    Send | FindSplits | NoteProgress | EndJob | ForgetJob | PlaceResult | ProbeWorker | FenceWorker | ReleaseWorker
)

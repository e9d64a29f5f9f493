"""What clients say to a driver: bodies of Flight actions and of `GetFlightInfo` descriptors on a client listener.

What always holds: plain maps of texts, numbers and Arrow IPC bytes, so that a client in any language writes them with a msgpack
library; docs/flight.md describes each. `params` is one record batch of one row (Arrow IPC stream): columns named for `:name`,
or `$1`, `$2`, ... in order.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

from flightmesh.dataclass import dataclass
from flightmesh.ids import JobId, WorkerId
from flightmesh.protocol.messages import WireError
from flightmesh.protocol.node_messages import Load, Serving


class Delivery(enum.Enum):
    """When a result's first row is given: as soon as it is there, or when all of them are."""

    STREAMED = "streamed"
    COMPLETE = "complete"


class Route(enum.Enum):
    """Where result streams come from: the workers that hold them, or the driver, for clients that reach nobody else."""

    WORKERS = "workers"
    DRIVER = "through-driver"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Opens a session. Its id goes in the header `flightmesh-session` of later calls. `dialect`: the default one."""

    dialect: str | None = None
    partitions: int | None = None


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A session's id, and how long it stays without a call (seconds)."""

    session: str
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Ends the caller's session: its jobs, views and temporary tables."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, or one YAML plan (`plan`: the text; `source`: the file's name in messages). Planned at once; CREATE
    and DROP take effect; a query runs when GetFlightInfo asks for it by the id in the answer. `uploads`: inputs of the plan
    that are the client's files (`file: local`), each with the uploaded table that stands for it."""

    sql: str | None = None
    plan: str | None = None
    source: str | None = None
    dialect: str | None = None
    params: bytes | None = None
    uploads: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """The answer: the schema (Arrow IPC) and the id to run the statement by; or, where it has run already, `rows` (an Arrow IPC
    stream). `write`: a plan's target that the client has to write itself (`to: client`)."""

    schema: bytes
    statement: str | None = None
    rows: bytes | None = None
    write: WireTarget | None = None


@dataclass(frozen=True, slots=True)
class WireTarget:
    """Where the rows of a plan go: a path on the client, and the format."""

    path: str
    format: str


@dataclass(frozen=True, slots=True)
class Explain:
    """Asks for a plan's text. `level`: logical, optimized, physical, stages or analyze."""

    sql: str
    level: str = "optimized"
    dialect: str | None = None
    params: bytes | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """An answer in words."""

    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """The msgpack form of a GetFlightInfo command: a statement by id, or by text, and how its rows are to come; or the
    result of a `job` that this session has submitted."""

    statement: str | None = None
    sql: str | None = None
    plan: str | None = None
    dialect: str | None = None
    params: bytes | None = None
    delivery: Delivery = Delivery.STREAMED
    results: Route = Route.WORKERS
    job: JobId | None = None


@dataclass(frozen=True, slots=True)
class RegisterTable:
    """Names files: `paths` are the nodes' (absolute) or an object store's. `options` as `Session.register` takes them, as
    texts; `storage` those of the object store."""

    name: str
    paths: tuple[str, ...]
    format: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    storage: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class UploadTable:
    """The command of a DoPut descriptor: the rows that follow become the table `name`. `temporary`: until the session ends."""

    name: str
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class DropTable:
    """Drops a registered or uploaded table, or a view."""

    name: str


@dataclass(frozen=True, slots=True)
class ListTables:
    """Asks for the names that a query of this session can use."""


@dataclass(frozen=True, slots=True)
class TablePlace:
    """What lies at one node of a table. `copy`: part, replica, or memory; `files`: how many of them; `rows`: where known;
    `error`: why nothing is known of it, of a node that cannot be asked or whose files make no table."""

    node: str
    copy: str
    files: int = 0
    rows: int | None = None
    bytes: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class TableListing:
    """One of them. `kind`: files (that every node sees), served, memory or view. `rows`, `bytes`: where known. `places`: where
    it lies, if not at every node."""

    name: str
    kind: str
    rows: int | None = None
    bytes: int | None = None
    places: tuple[TablePlace, ...] = ()


@dataclass(frozen=True, slots=True)
class Tables:
    """The answer."""

    tables: tuple[TableListing, ...]


@dataclass(frozen=True, slots=True)
class AskJob:
    """Names a job, for `status`, `cancel`, `stages`, `tasks`, `record`."""

    job: JobId


@dataclass(frozen=True, slots=True)
class DrainWorker:
    """Has a worker, by name or id, take no new tasks and leave when no job needs it any more."""

    worker: str


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How a job stands. `state`: queued, running, succeeded, failed, cancelled; times are seconds since the epoch; `place` its
    turn in the queue (0: not queued)."""

    job: JobId
    state: str
    text: str
    session: str
    submitted: float
    started: float | None
    ended: float | None
    stages_done: int
    stages: int
    tasks_done: int
    tasks: int
    rows: int
    bytes: int
    place: int = 0
    error: WireError | None = None


@dataclass(frozen=True, slots=True)
class Jobs:
    """Jobs, the latest last."""

    jobs: tuple[JobStatus, ...]


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """One output edge of a stage: rows and bytes written; how many reading tasks were there before its last producer ended
    (`pipelined`) and how many came after (`late`)."""

    edge: int
    mode: str
    rows: int
    bytes: int
    pipelined: int
    late: int


@dataclass(frozen=True, slots=True)
class StageStatus:
    """How a stage stands."""

    stage: int
    tasks: int
    pending: int
    running: int
    done: int
    rows: int
    edges: tuple[EdgeStatus, ...]


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of a job."""

    stages: tuple[StageStatus, ...]


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """How a task stands. `worker`: the name people know; times are seconds since the job was submitted."""

    stage: int
    index: int
    attempt: int
    state: str
    worker: str | None
    started: float | None
    ended: float | None
    splits: int
    rows: int
    spilled: int


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks of a job."""

    tasks: tuple[TaskStatus, ...]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node. `role`: driver or worker; `state`: alive, draining, lost, left; `seen`: seconds since it was heard of;
    `row_bytes`: of a driver, bytes of rows that have gone through it (uploads, results taken through it); `serves`: the tables
    of which a worker serves files."""

    id: WorkerId
    name: str
    role: str
    state: str
    host: str
    pid: int
    mesh: str
    client: str
    slots: int
    memory: int
    seen: float
    load: Load | None = None
    row_bytes: int = 0
    serves: tuple[Serving, ...] = ()


@dataclass(frozen=True, slots=True)
class Nodes:
    """The nodes, the driver first."""

    nodes: tuple[NodeStatus, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing went wrong, and there is nothing to say."""


ClientMessage: TypeAlias = OpenSession | CloseSession | Statement | Explain | RegisterTable | DropTable | ListTables | AskJob

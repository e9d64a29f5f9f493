"""What nodes say to each other about themselves: joining, being alive, carrying other messages. Bodies of Flight actions that
exist only on a mesh listener.

What always holds: a worker id is one incarnation of a worker, given by the driver when it registers and never used again; so
whoever was declared lost is refused by its id alone (`Fenced`) and registers anew, as somebody else.
"""

from __future__ import annotations

import enum

from flightmesh.catalog.table import Copy, Split
from flightmesh.dataclass import dataclass
from flightmesh.ids import WorkerId
from flightmesh.physical.operators import TableScan
from flightmesh.protocol.enrolment import AccessList
from flightmesh.protocol.messages import DriverMessage, WorkerMessage

PROTOCOL_VERSION = 4
"""Raised with every change of these messages that an older node would misread."""


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Where a node listens, as URIs (`grpc://127.0.0.1:4711`): for nodes of its mesh, and for clients."""

    mesh: str
    client: str


@dataclass(frozen=True, slots=True)
class Serving:
    """A table of which a worker serves files. `place` is the same wherever two workers serve the same files of one machine,
    `home` wherever a worker serves again what one served that is gone; neither says more."""

    table: str
    copy: Copy
    place: str = ""
    home: str = ""


@dataclass(frozen=True, slots=True)
class Register:
    """A worker wants to join. `name`: what people call it; `slots`: tasks that compute at once; `memory`, `disk`: budgets in
    bytes; `hash_version`: of the partitioning hash, which all nodes of a mesh share; `serves`: tables."""

    name: str
    slots: int
    memory: int
    disk: int
    address: NodeAddress
    host: str
    pid: int
    protocol: int
    hash_version: int
    serves: tuple[Serving, ...] = ()


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer: the worker's id from now on, the driver's incarnation, the key that signs tickets, how often to say that it
    is alive (seconds), after how long without an answer either side gives the other up, and who is let in (None: everybody,
    on a mesh without TLS)."""

    worker: WorkerId
    driver: str
    key: bytes
    heartbeat_seconds: float
    lost_seconds: float = 4.0
    access: AccessList | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a worker carries now. `cpu`: cores in use since the last heartbeat; `rss`: bytes resident; `exchange_bytes` in
    memory, `spilled_bytes` on disk; `streams`: data streams open at it; `row_bytes`: bytes of rows that have gone between it
    and other nodes by streams that those opened, since its process began."""

    free_slots: int
    running_tasks: int
    exchange_bytes: int
    spilled_bytes: int
    cpu: float
    rss: int
    streams: int
    channels: int = 0
    spill_files: int = 0
    threads: int = 0
    row_bytes: int = 0


class Drain(enum.Enum):
    """Whether a worker takes new tasks."""

    OPEN = "open"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A worker is alive. One that drains asks for no new tasks, and leaves when its last job is released. `access`: the version
    of the access list that it has."""

    worker: WorkerId
    load: Load
    drain: Drain = Drain.OPEN
    access: str = ""


@dataclass(frozen=True, slots=True)
class HeartbeatHeard:
    """The answer. `may_leave`: a draining worker has nothing left that any job needs; `access`: the list, where the worker has
    another."""

    driver: str
    may_leave: bool = False
    access: AccessList | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """A worker goes, now."""

    worker: WorkerId
    reason: str


@dataclass(frozen=True, slots=True)
class Orders:
    """Messages of the driver `driver` for the worker `worker`, in order; the first has number `first` (from 0). A message whose
    number was heard before is absorbed."""

    driver: str
    worker: WorkerId
    first: int
    messages: tuple[WorkerMessage, ...]


@dataclass(frozen=True, slots=True)
class Reports:
    """Messages of `worker` for its driver, numbered as in `Orders`."""

    driver: str
    worker: WorkerId
    first: int
    messages: tuple[DriverMessage, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """The answer to `Orders` and `Reports`: the number of the next message that is expected."""

    next: int


@dataclass(frozen=True, slots=True)
class ListSplits:
    """The body of `find-splits`: a driver that does not see a table's files asks a worker for the splits of a scan."""

    scan: TableScan


@dataclass(frozen=True, slots=True)
class SplitList:
    """The answer."""

    splits: tuple[Split, ...]


@dataclass(frozen=True, slots=True)
class MeshListener:
    """The answer to `mesh-address` on a driver's client listener: where its workers are to register."""

    driver: str
    mesh: str

"""What the driver and its workers say to each other: frozen values, the same by reference and on a wire.

Messages to a worker are orders; messages to the driver are reports. What always holds: a plan goes once a stage and worker
(`PlanStage`), a task is then named by its attempt alone; reports of an attempt are numbered from 0, so that late and
doubled ones show.
"""

from __future__ import annotations

import enum
from typing import Any, TypeAlias

from flightmesh.catalog.table import Split
from flightmesh.dataclass import dataclass
from flightmesh.ids import AttemptId, EdgeId, JobId, WorkerId
from flightmesh.physical.partitioning import Broadcast, bucket_count
from flightmesh.stage.graph import Edge, Stage

WireError: TypeAlias = dict[str, Any]
"""A FlightmeshError as `to_wire` writes it."""


class ExchangeMode(enum.Enum):
    """Who moves an edge's batches between workers: the reader takes them (GET), or the writer's worker brings them (PUT)."""

    GET = "get"
    PUT = "put"


class Retention(enum.Enum):
    """When an entry of a bucket may be dropped: once it has been read `reads` times; when the job ends or the bucket is closed;
    when its epoch is over (unbounded inputs: the barrier after it has been read)."""

    READ = "read"
    JOB = "job"
    EPOCH = "epoch"


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """An edge with what its ends need to know: the tasks that write it and those that read it (the client is one).

    `reads` is how often each entry of a bucket is read on one worker before it may be dropped, where `retention` is READ.
    `credit`: bytes of one producer task that may lie unread before it waits (None: it never waits); only where the reader is
    there for as long as the job, as the client is; on the result's edge None also means that nothing is given before all of it
    is there. `mode`: how batches cross between workers. `names`: of the result's columns, as the user wrote them.
    """

    edge: Edge
    producers: int
    consumers: int
    reads: int
    credit: int | None = None
    mode: ExchangeMode = ExchangeMode.GET
    retention: Retention = Retention.READ
    names: tuple[str, ...] = ()

    @property
    def buckets(self) -> int:
        """Buckets of the edge."""
        return bucket_count(self.edge.partitioning)

    def range_of(self, index: int) -> range:
        """The buckets that consumer task `index` reads."""
        if isinstance(self.edge.partitioning, Broadcast):
            return range(1)
        return range(index * self.buckets // self.consumers, (index + 1) * self.buckets // self.consumers)


@dataclass(frozen=True, slots=True)
class PlanStage:
    """The plan of a stage, sent once to each worker before its first task there. `inputs` and `outputs` as the stage lists
    them."""

    job: JobId
    stage: Stage
    inputs: tuple[EdgePlan, ...]
    outputs: tuple[EdgePlan, ...]


@dataclass(frozen=True, slots=True)
class RunTask:
    """Run one attempt at a task of a planned stage."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class CancelTask:
    """End an attempt: its output is not wanted."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class StopTask:
    """End an attempt early but well: nobody reads more of its output."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class GrantSplits:
    """The splits that an attempt may read next of scan `source`, its `number`-th request for them; none: there are no more.
    Placing the task is request 0; that there are no more may come for one that was not made."""

    attempt: AttemptId
    source: int
    number: int
    splits: tuple[Split, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A worker that holds what some tasks write on an edge: its id, the URI of its mesh listener, those tasks' indexes."""

    worker: WorkerId
    address: str
    producers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EdgeSources:
    """Where tasks that write an edge have been placed until now; to workers that read it. Each one includes those before."""

    job: JobId
    edge: EdgeId
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Reader:
    """An attempt that reads an edge, and the worker (id and mesh URI) where it was placed."""

    attempt: AttemptId
    worker: WorkerId
    address: str


@dataclass(frozen=True, slots=True)
class EdgeReaders:
    """Who reads a PUT edge, as far as placed; to workers that write it, which then push to those readers."""

    job: JobId
    edge: EdgeId
    readers: tuple[Reader, ...]


@dataclass(frozen=True, slots=True)
class SealEdge:
    """Nothing more comes on an edge: its rows are those that the `winners` wrote, and they lie at `sources`."""

    job: JobId
    edge: EdgeId
    winners: tuple[AttemptId, ...]
    sources: tuple[Source, ...] = ()


class KeyForm(enum.Enum):
    """How a digest tells of keys: all their codes, 64 bits each; a bit for each code from `low` up to `high`; a Bloom filter;
    or nothing but the bounds."""

    CODES = "codes"
    BITMAP = "bitmap"
    BLOOM = "bloom"
    BOUNDS = "bounds"


@dataclass(frozen=True, slots=True)
class KeyDigest:
    """The keys of a dynamic filter that came to its build side: a value that they do not include is none of its keys. `low` and
    `high` bound the keys' codes (none: `high` is less); `ordered`: codes are the values, as integers; else they are hashes."""

    filter: int
    low: int
    high: int
    ordered: bool
    form: KeyForm
    data: bytes


@dataclass(frozen=True, slots=True)
class FilterKeys:
    """All keys of a dynamic filter of a job; to workers that have the plan of a stage whose scans apply it."""

    job: JobId
    keys: KeyDigest


@dataclass(frozen=True, slots=True)
class FailResult:
    """A job has ended badly: who reads its result is told `error`, now and for a while after."""

    job: JobId
    error: WireError


@dataclass(frozen=True, slots=True)
class CloseBuckets:
    """Nobody reads buckets `first` up to `last` of an edge any more: drop what they hold and what comes."""

    job: JobId
    edge: EdgeId
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ReleaseJob:
    """End what a job still runs here and forget all of it."""

    job: JobId


WorkerMessage: TypeAlias = (
    PlanStage
    | RunTask
    | CancelTask
    | StopTask
    | GrantSplits
    | EdgeSources
    | EdgeReaders
    | SealEdge
    | CloseBuckets
    | FilterKeys
    | FailResult
    | ReleaseJob
)
"""What a driver says to a worker."""


class TaskState(enum.Enum):
    """How an attempt stands, as its worker sees it."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class OperatorReport:
    """Figures of one operator of an attempt, as `fragment.metrics` counts them; times in nanoseconds."""

    operator: str
    rows: int
    batches: int
    bytes: int
    cpu_ns: int
    wait_ns: int
    details: tuple[tuple[str, int], ...] = ()

    def detail(self, name: str) -> int:
        """A detail by name, 0 when it was never counted."""
        return dict(self.details).get(name, 0)


@dataclass(frozen=True, slots=True)
class Written:
    """What an attempt wrote on one edge: rows and bytes of each bucket."""

    edge: EdgeId
    rows: tuple[int, ...]
    bytes: tuple[int, ...]


class ReadEnd(enum.Enum):
    """Whether a task read its buckets to the end or closed them before (or never opened them)."""

    COMPLETE = "complete"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Read:
    """What an attempt read of one edge."""

    edge: EdgeId
    rows: int
    end: ReadEnd


@dataclass(frozen=True, slots=True)
class TaskReport:
    """How an attempt stands. `written` and `read` are whole once it has finished; `error` comes with FAILED; `keys` when all of
    its rows were written, of the dynamic filters that its edges make."""

    attempt: AttemptId
    sequence: int
    state: TaskState
    operators: tuple[OperatorReport, ...] = ()
    written: tuple[Written, ...] = ()
    read: tuple[Read, ...] = ()
    error: WireError | None = None
    keys: tuple[KeyDigest, ...] = ()


@dataclass(frozen=True, slots=True)
class WantSplits:
    """An attempt has used up the splits of scan `source`. `number` counts its requests, of which the first, 0, is that
    the task is placed: one that comes twice draws once."""

    attempt: AttemptId
    source: int
    number: int


@dataclass(frozen=True, slots=True)
class ReaderClosed:
    """An attempt has enough of an input edge."""

    attempt: AttemptId
    edge: EdgeId


@dataclass(frozen=True, slots=True)
class JobReleased:
    """A worker holds nothing of a job any more."""

    job: JobId


@dataclass(frozen=True, slots=True)
class ResultRead:
    """A client has read result partition `partition` (the index of the task that made it) to its end."""

    job: JobId
    partition: int


@dataclass(frozen=True, slots=True)
class ResultDropped:
    """A client has let go of a result stream before its end."""

    job: JobId
    partition: int


DriverMessage: TypeAlias = TaskReport | WantSplits | ReaderClosed | ResultRead | ResultDropped | JobReleased
"""What a worker says to its driver."""

"""What a worker is told (events, past tense) and what it asks its runtime to do (effects, imperative)."""

from __future__ import annotations

from typing import TypeAlias

from flightmesh.catalog.table import Split
from flightmesh.dataclass import dataclass
from flightmesh.ids import AttemptId, EdgeId, JobId
from flightmesh.protocol.messages import (
    DriverMessage,
    EdgePlan,
    KeyDigest,
    OperatorReport,
    PlanStage,
    Read,
    Reader,
    Source,
    TaskState,
    WireError,
    WorkerMessage,
    Written,
)


@dataclass(frozen=True, slots=True)
class OrderReceived:
    """A message of the driver came."""

    message: WorkerMessage


@dataclass(frozen=True, slots=True)
class SplitsUsedUp:
    """A running attempt needs splits of scan `source`, for the `number`-th time (from 0)."""

    attempt: AttemptId
    source: int
    number: int


@dataclass(frozen=True, slots=True)
class InputClosed:
    """A running attempt has enough of an input edge."""

    attempt: AttemptId
    edge: EdgeId


@dataclass(frozen=True, slots=True)
class TaskProgressed:
    """Figures of a running attempt so far."""

    attempt: AttemptId
    operators: tuple[OperatorReport, ...]


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """An attempt's thread is done with it: FINISHED, FAILED (with `error`) or CANCELLED."""

    attempt: AttemptId
    state: TaskState
    operators: tuple[OperatorReport, ...] = ()
    written: tuple[Written, ...] = ()
    read: tuple[Read, ...] = ()
    error: WireError | None = None
    keys: tuple[KeyDigest, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultStreamEnded:
    """A client has read a result partition to its end here."""

    job: JobId
    partition: int


@dataclass(frozen=True, slots=True)
class ResultStreamDropped:
    """A client has let go of a result stream before its end."""

    job: JobId
    partition: int


WorkerEvent: TypeAlias = (
    OrderReceived | SplitsUsedUp | InputClosed | TaskProgressed | TaskEnded | ResultStreamEnded | ResultStreamDropped
)


@dataclass(frozen=True, slots=True)
class Tell:
    """Send a message to the driver."""

    message: DriverMessage


@dataclass(frozen=True, slots=True)
class OpenEdge:
    """Make room for an edge in the exchange store."""

    job: JobId
    plan: EdgePlan


@dataclass(frozen=True, slots=True)
class StartTask:
    """Give an attempt a thread."""

    attempt: AttemptId
    plan: PlanStage


@dataclass(frozen=True, slots=True)
class CancelThread:
    """Make an attempt end at its next check, as CANCELLED."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class StopThread:
    """Make an attempt end at its next check, as FINISHED: nobody reads more of its output."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class HandSplits:
    """Give an attempt the splits of its `number`-th request (none: there are no more)."""

    attempt: AttemptId
    source: int
    number: int
    splits: tuple[Split, ...]


@dataclass(frozen=True, slots=True)
class SealLog:
    """End an edge in the exchange store, and say to its readers here that `sources` are all there are."""

    job: JobId
    edge: EdgeId
    winners: tuple[AttemptId, ...]
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class CloseLog:
    """Drop buckets of an edge in the exchange store."""

    job: JobId
    edge: EdgeId
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class HoldKeys:
    """Keep the keys of a dynamic filter for the scans here that apply it."""

    job: JobId
    keys: KeyDigest


@dataclass(frozen=True, slots=True)
class DropJob:
    """Forget a job's channels, builds and accounts. No thread of it runs any more."""

    job: JobId


@dataclass(frozen=True, slots=True)
class NoteSources:
    """Tell the readers of an edge here where its writers are."""

    job: JobId
    edge: EdgeId
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class PushTo:
    """Push what is written here on a PUT edge to its readers elsewhere. Those known before are pushed to already."""

    job: JobId
    edge: EdgeId
    readers: tuple[Reader, ...]


@dataclass(frozen=True, slots=True)
class FailStreams:
    """End the result streams of a job with its error, and tell it to who asks for one in the next minute."""

    job: JobId
    error: WireError


WorkerEffect: TypeAlias = (
    Tell
    | OpenEdge
    | StartTask
    | CancelThread
    | StopThread
    | HandSplits
    | NoteSources
    | PushTo
    | SealLog
    | CloseLog
    | HoldKeys
    | FailStreams
    | DropJob
)

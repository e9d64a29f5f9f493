"""The driver as a step function: golden scripts of events and effects, duplicates and stale reports among them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import assert_never

import numpy as np
import pytest

from flightmesh.catalog.table import SERVED, File, FileSplit, FileTable, Format, MemoryPart, MemorySplit, Split
from flightmesh.config import MeshConfig
from flightmesh.driver import summary
from flightmesh.driver.actor import Driver
from flightmesh.driver.events import (
    DriverEffect,
    DriverEvent,
    EndJob,
    FenceWorker,
    FindSplits,
    ForgetJob,
    JobCancelled,
    JobOptions,
    JobSubmitted,
    NoteProgress,
    PlaceResult,
    ProbeWorker,
    ReleaseWorker,
    ReportReceived,
    ResultAt,
    ResultTaken,
    Send,
    SplitsFailed,
    SplitsFound,
    Ticked,
    WorkerHeard,
    WorkerJoined,
    WorkerLeft,
    WorkerUnreachable,
)
from flightmesh.errors import InternalError, InvalidInput, StreamBroken
from flightmesh.exchange.key_digests import digest_of, key_set_of
from flightmesh.ids import AttemptId, EdgeId, JobId, StageId, TaskId, WorkerId
from flightmesh.kernel.key_set import KeySet
from flightmesh.protocol.client_messages import Delivery
from flightmesh.protocol.messages import (
    CancelTask,
    CloseBuckets,
    DriverMessage,
    EdgePlan,
    EdgeReaders,
    EdgeSources,
    ExchangeMode,
    FailResult,
    FilterKeys,
    GrantSplits,
    JobReleased,
    KeyDigest,
    PlanStage,
    Read,
    ReadEnd,
    ReaderClosed,
    ReleaseJob,
    ResultDropped,
    ResultRead,
    Retention,
    RunTask,
    SealEdge,
    Source,
    StopTask,
    TaskReport,
    TaskState,
    WantSplits,
    WorkerMessage,
    Written,
)
from flightmesh.protocol.node_messages import Drain, Load, NodeAddress
from flightmesh.stage.graph import StageGraph
from tests.hand_made import GRAPHS, T, grouping, scanning, union_of_scans
from tests.scripts import check_script

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path, update_goldens: bool) -> None:
    player = Player()
    check_script(path, player.play, update_goldens)
    assert player.is_idle == path.stem.endswith("_forgotten"), "a script whose name ends so leaves nothing behind"


class Player:
    """Turns lines into events and effects into lines. The clock goes on by a second an event, by more with `tick SECONDS`."""

    def __init__(self) -> None:
        self._driver = Driver()
        self._now = 0.0

    @property
    def is_idle(self) -> bool:
        return self._driver.is_idle

    def play(self, line: str) -> Sequence[str]:
        word, *rest = shlex.split(line)
        if word == "mesh":
            self._driver = Driver(MeshConfig(**{name: int(amount) for name, amount in (part.split("=") for part in rest)}))
            return []
        if word == "show":
            return list(shown(self._driver, rest, self._now))
        self._now += float(rest[0]) if word == "tick" else 1.0
        try:
            return [line_of(effect) for effect in self._driver.step(event_of(line), self._now)]
        except InternalError as error:
            return [f"InternalError: {error.message}"]


def shown(driver: Driver, words: Sequence[str], now: float) -> Iterator[str]:
    """What people see."""
    match words:
        case ["jobs"]:
            for job in summary.jobs(driver.table, 1000.0):
                times = f"submitted {job.submitted:.0f}, started {_time(job.started)}, ended {_time(job.ended)}"
                turn = f", turn {job.place}" if job.place else ""
                why = f": {job.error['message']}" if job.error else ""
                yield f"job {job.job} {job.state}{turn}, {job.tasks_done}/{job.tasks} tasks, {times}, {job.text!r}{why}"
        case ["workers"]:
            for node in summary.workers(driver.table, now):
                yield f"{node.name} ({node.id}) {node.state}, {node.slots} slots, heard {node.seen:.0f} s ago"
        case ["stages", job]:
            for stage in summary.stages(driver.table, JobId(int(job))) or ():
                figures = f"{stage.pending} pending, {stage.running} running, {stage.done} done, {stage.rows} rows"
                yield f"stage {stage.stage}: {figures}"
                for e in stage.edges:
                    yield f"  edge {e.edge} by {e.mode}: {e.rows} rows, {e.bytes} bytes, {e.pipelined} pipelined, {e.late} late"
        case ["tasks", job]:
            for task in summary.tasks(driver.table, JobId(int(job))) or ():
                where = f"{task.state} at {task.worker}, {_time(task.started)} to {_time(task.ended)}"
                yield f"task {task.stage}.{task.index} {where}, {task.splits} splits, {task.rows} rows"
        case _:
            raise AssertionError(f"nothing to show: {words}")


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.0f}"


def event_of(line: str) -> DriverEvent:
    word, *rest = shlex.split(line)
    match word:
        case "join":
            return _joined(rest)
        case "heard":
            return _heard(rest)
        case "unreachable":
            return WorkerUnreachable(WorkerId(rest[0]), rest[1])
        case "left":
            return WorkerLeft(WorkerId(rest[0]), rest[1])
        case "tick":
            return Ticked()
        case "submit":
            return JobSubmitted(JobId(int(rest[0])), _graph(rest[1], rest[2]), _options(rest[3:]))
        case "splits":
            job, stage, source = map(int, rest[:3])
            splits = tuple(_splits(rest[3:]))
            return SplitsFound(JobId(job), StageId(stage), source, splits)
        case "splits-failed":
            error = InvalidInput(rest[3]).to_wire()
            return SplitsFailed(JobId(int(rest[0])), StageId(int(rest[1])), int(rest[2]), error)
        case "cancel":
            return JobCancelled(JobId(int(rest[0])), rest[1])
        case "taken":
            return ResultTaken(JobId(int(rest[0])))
        case worker:
            return ReportReceived(WorkerId(worker), message_of(rest))


def _joined(words: Sequence[str]) -> WorkerJoined:
    """`join ID SLOTS [NAME [HOST]]`: with a name, a node of a mesh that listens at that host."""
    worker, slots = WorkerId(words[0]), int(words[1])
    if len(words) == 2:
        return WorkerJoined(worker, slots)
    host = words[3] if len(words) > 3 else words[2]
    return WorkerJoined(worker, slots, words[2], NodeAddress(f"grpc://{host}:1", f"grpc://{host}:2"))


def _heard(words: Sequence[str]) -> WorkerHeard:
    parts = dict(word.split("=") for word in words[1:] if "=" in word)
    free, exchange = int(parts.get("free", "0")), int(parts.get("exchange", "0"))
    load = Load(free, 0, exchange, 0, 0.0, 0, 0)
    return WorkerHeard(WorkerId(words[0]), load, Drain.DRAINING if "draining" in words else Drain.OPEN)


def _graph(name: str, partitions: str) -> StageGraph:
    """A graph by hand; `scanning@w1=100,w2=200`: of a table with so many bytes in the memory of those workers;
    `scanning@serve:w1=100,w2+w3=200`: of files that those serve, the second a replica at either."""
    name, _, held = name.partition("@")
    if not held:
        return GRAPHS[name](int(partitions))
    of_files = held.startswith("serve:")
    parts = (part.split("=") for part in held.removeprefix("serve:").split(","))
    if of_files:
        files = tuple(File(f"{at}.parquet", int(size), 0, (), tuple(at.split("+"))) for at, size in parts)
        served = FileTable("t", Format.PARQUET, SERVED, files, T.schema)
        return {"scanning": scanning, "grouping": grouping, "union": union_of_scans}[name](int(partitions), served)
    places = tuple(MemoryPart(holder, f"grpc://{holder}:1", int(size) // 16, int(size)) for holder, size in parts)
    of_table = {"scanning": scanning, "grouping": grouping}
    return of_table[name](int(partitions), replace(T, parts=places))


def _options(words: Sequence[str]) -> JobOptions:
    """`at-workers`, `put`, `complete`, `keep=SECONDS`, `text=TEXT`; none: a job of this process."""
    parts = dict(word.split("=", 1) for word in words if "=" in word)
    return JobOptions(
        result=ResultAt.WORKERS if "at-workers" in words else ResultAt.HERE,
        mode=ExchangeMode.PUT if "put" in words else ExchangeMode.GET,
        delivery=Delivery.COMPLETE if "complete" in words else Delivery.STREAMED,
        text=parts.get("text", ""),
        keep=float(parts.get("keep", "300")),
    )


def _splits(words: Sequence[str]) -> Iterator[Split]:
    """`3`: three splits; `w1:2`: two that a worker holds; `serve:w1+w2:2`: two of a file that both serve; `large:4`: four that
    are large; `file:4`: four large row groups of a file that every worker reads."""
    offset = 0
    for word in words:
        if word.startswith("large:"):
            for _ in range(int(word[len("large:") :])):
                yield MemorySplit(offset, 1_000_000)
                offset += 100
            continue
        if word.startswith("file:"):
            yield from (FileSplit(0, (number,), 1_000_000) for number in range(int(word[len("file:") :])))
            continue
        if word.startswith("serve:"):
            _, at, count = word.split(":")
            for _ in range(int(count)):
                yield FileSplit(0, (offset,), 100, 1600, tuple(at.split("+")))
                offset += 100
            continue
        holder, _, count = word.rpartition(":")
        for _ in range(int(count)):
            yield MemorySplit(offset, 100, holder=holder or None)
            offset += 100


def message_of(words: Sequence[str]) -> DriverMessage:
    match words[0]:
        case "released":
            return JobReleased(JobId(int(words[1])))
        case "wants":
            return WantSplits(attempt_of(words[1]), int(words[2]), int(words[3]))
        case "read":
            return ResultRead(JobId(int(words[1])), int(words[2]))
        case "dropped":
            return ResultDropped(JobId(int(words[1])), int(words[2]))
        case "closed":
            return ReaderClosed(attempt_of(words[1]), EdgeId(int(words[2])))
        case state:
            parts = dict(word.split(":", 1) for word in words[3:])
            error = InvalidInput(parts["error"]).to_wire() if "error" in parts else None
            error = StreamBroken(parts["broken"]).to_wire() if "broken" in parts else error
            return TaskReport(
                attempt_of(words[1]),
                int(words[2]),
                TaskState(state),
                written=tuple(_written(text) for text in parts.get("wrote", "").split(";") if text),
                read=tuple(_read(text) for text in parts.get("read", "").split(";") if text),
                error=error,
                keys=tuple(_keys(text) for text in parts.get("keys", "").split(";") if text),
            )


def attempt_of(text: str) -> AttemptId:
    task, number = text.split("/")
    job, stage, index = map(int, task.split("."))
    return AttemptId(TaskId(JobId(job), StageId(stage), index), int(number))


def _written(text: str) -> Written:
    edge, counts = text.split("=")
    rows = tuple(map(int, counts.split(",")))
    return Written(EdgeId(int(edge)), rows, tuple(8 * count for count in rows))


def _read(text: str) -> Read:
    edge, rows = text.split("=")
    end = ReadEnd.CLOSED if rows.endswith("+") else ReadEnd.COMPLETE
    return Read(EdgeId(int(edge)), int(rows.rstrip("+")), end)


def _keys(text: str) -> KeyDigest:
    """`0=7,9`: keys 7 and 9 of filter 0."""
    number, _, keys = text.partition("=")
    codes = np.array([int(key) for key in keys.split(",") if key], np.int64)
    low, high = (int(codes.min()), int(codes.max())) if len(codes) else (0, -1)
    return digest_of(int(number), KeySet(low, high, True, codes=codes))


def _codes(keys: KeyDigest) -> list[int]:
    known = key_set_of(keys).codes
    assert known is not None
    return known.tolist()


def line_of(effect: DriverEffect) -> str:
    match effect:
        case Send(worker=worker, message=message):
            return f"{worker} <- {order_of(message)}"
        case FindSplits(job=job, stage=stage, scan=scan):
            return f"find splits of {scan.table.name} for {job}.{stage} source {scan.source}"
        case NoteProgress(job=job, progress=p):
            return f"progress of {job}: {p.stages_done}/{p.stages} stages, {p.tasks_done}/{p.tasks} tasks"
        case EndJob(job=job, record=record):
            error = f": {record.error['message']}" if record.error else ""
            return f"job {job} {record.state.value} after {record.seconds:.0f} s{error}"
        case ForgetJob(job=job):
            return f"forget {job}"
        case PlaceResult(job=job, places=places):
            return f"result of {job} at {' '.join(places)}"
        case ProbeWorker(worker=worker):
            return f"probe {worker}"
        case FenceWorker(worker=worker, cause=cause):
            return f"fence {worker}: {cause}"
        case ReleaseWorker(worker=worker):
            return f"let {worker} go"
        case _:
            assert_never(effect)


def order_of(message: WorkerMessage) -> str:
    match message:
        case PlanStage(job=job, stage=stage, inputs=inputs, outputs=outputs):
            edges = [f"{p.edge.id}({p.producers}->{p.consumers}{_policy(p)})" for p in (*inputs, *outputs)]
            return f"plan {job}.{stage.id} edges {' '.join(edges)}"
        case RunTask(attempt=attempt):
            return f"run {attempt}"
        case CancelTask(attempt=attempt):
            return f"cancel {attempt}"
        case StopTask(attempt=attempt):
            return f"stop {attempt}"
        case GrantSplits(attempt=attempt, source=source, number=number, splits=splits):
            offsets = ", ".join(str(_number(split)) for split in splits) or "none left"
            return f"grant {attempt} source {source} #{number}: {offsets}"
        case EdgeSources(job=job, edge=edge, sources=sources):
            return f"sources {job} edge {edge}: {_at(sources)}"
        case EdgeReaders(job=job, edge=edge, readers=readers):
            return f"readers {job} edge {edge}: {' '.join(f'{reader.attempt}@{reader.worker}' for reader in readers)}"
        case SealEdge(job=job, edge=edge, winners=winners, sources=sources):
            where = f" at {_at(sources)}" if sources else ""
            return f"seal {job} edge {edge}: {' '.join(map(str, winners)) or 'no rows'}{where}"
        case FilterKeys(job=job, keys=keys):
            return f"keys {job} filter {keys.filter}: {' '.join(map(str, _codes(keys))) or 'none'}"
        case FailResult(job=job, error=error):
            return f"fail result {job}: {error['message']}"
        case CloseBuckets(job=job, edge=edge, first=first, last=last):
            return f"close {job} edge {edge} buckets {first}-{last - 1}"
        case ReleaseJob(job=job):
            return f"release {job}"
        case _:
            assert_never(message)


def _number(split: Split) -> int:
    return split.offset if isinstance(split, MemorySplit) else split.pieces[0]


def _policy(plan: EdgePlan) -> str:
    """What an edge has that is not the default: put, kept until the job's end, credit of the result."""
    said = [
        word for word, there in (("put", plan.mode is ExchangeMode.PUT), ("kept", plan.retention is Retention.JOB)) if there
    ]
    if plan.edge.consumer is None and plan.credit is None:
        said.append("whole")
    return "".join(f" {word}" for word in said)


def _at(sources: Sequence[Source]) -> str:
    return " ".join(f"{source.worker}[{','.join(map(str, source.producers))}]" for source in sources)

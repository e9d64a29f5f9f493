"""The driver as a step function: golden scripts of events and effects, duplicates and stale reports among them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

import pytest

from flightmesh.catalog.table import MemorySplit
from flightmesh.driver.actor import Driver
from flightmesh.driver.events import (
    DriverEffect,
    DriverEvent,
    EndJob,
    FindSplits,
    ForgetJob,
    JobCancelled,
    JobSubmitted,
    NoteProgress,
    ReportReceived,
    ResultTaken,
    Send,
    SplitsFailed,
    SplitsFound,
    WorkerJoined,
)
from flightmesh.errors import InternalError, InvalidInput
from flightmesh.ids import AttemptId, EdgeId, JobId, StageId, TaskId, WorkerId
from flightmesh.protocol.messages import (
    CancelTask,
    CloseBuckets,
    DriverMessage,
    GrantSplits,
    JobReleased,
    PlanStage,
    Read,
    ReadEnd,
    ReaderClosed,
    ReleaseJob,
    RunTask,
    SealEdge,
    StopTask,
    TaskReport,
    TaskState,
    WantSplits,
    WorkerMessage,
    Written,
)
from tests.hand_made import GRAPHS
from tests.scripts import check_script

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path, update_goldens: bool) -> None:
    player = Player()
    check_script(path, player.play, update_goldens)
    assert player.is_idle == path.stem.endswith("_forgotten"), "a script whose name ends so leaves nothing behind"


class Player:
    """Turns lines into events and effects into lines. The clock goes on by a second an event."""

    def __init__(self) -> None:
        self._driver = Driver()
        self._now = 0.0

    @property
    def is_idle(self) -> bool:
        return self._driver.is_idle

    def play(self, line: str) -> Sequence[str]:
        self._now += 1.0
        try:
            return [line_of(effect) for effect in self._driver.step(event_of(line), self._now)]
        except InternalError as error:
            return [f"InternalError: {error.message}"]


def event_of(line: str) -> DriverEvent:
    word, *rest = shlex.split(line)
    match word:
        case "join":
            return WorkerJoined(WorkerId(rest[0]), int(rest[1]))
        case "submit":
            return JobSubmitted(JobId(int(rest[0])), GRAPHS[rest[1]](int(rest[2])))
        case "splits":
            job, stage, source, count = map(int, rest)
            splits = tuple(MemorySplit(100 * i, 100) for i in range(count))
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


def message_of(words: Sequence[str]) -> DriverMessage:
    match words[0]:
        case "released":
            return JobReleased(JobId(int(words[1])))
        case "wants":
            return WantSplits(attempt_of(words[1]), int(words[2]), int(words[3]))
        case "closed":
            return ReaderClosed(attempt_of(words[1]), EdgeId(int(words[2])))
        case state:
            parts = dict(word.split(":", 1) for word in words[3:])
            error = InvalidInput(parts["error"]).to_wire() if "error" in parts else None
            return TaskReport(
                attempt_of(words[1]),
                int(words[2]),
                TaskState(state),
                written=tuple(_written(text) for text in parts.get("wrote", "").split(";") if text),
                read=tuple(_read(text) for text in parts.get("read", "").split(";") if text),
                error=error,
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
        case _:
            assert_never(effect)


def order_of(message: WorkerMessage) -> str:
    match message:
        case PlanStage(job=job, stage=stage, inputs=inputs, outputs=outputs):
            edges = [f"{p.edge.id}({p.producers}->{p.consumers})" for p in (*inputs, *outputs)]
            return f"plan {job}.{stage.id} edges {' '.join(edges)}"
        case RunTask(attempt=attempt):
            return f"run {attempt}"
        case CancelTask(attempt=attempt):
            return f"cancel {attempt}"
        case StopTask(attempt=attempt):
            return f"stop {attempt}"
        case GrantSplits(attempt=attempt, source=source, number=number, splits=splits):
            offsets = ", ".join(str(s.offset) for s in splits if isinstance(s, MemorySplit)) or "none left"
            return f"grant {attempt} source {source} #{number}: {offsets}"
        case SealEdge(job=job, edge=edge, winners=winners):
            return f"seal {job} edge {edge}: {' '.join(map(str, winners)) or 'no rows'}"
        case CloseBuckets(job=job, edge=edge, first=first, last=last):
            return f"close {job} edge {edge} buckets {first}-{last - 1}"
        case ReleaseJob(job=job):
            return f"release {job}"
        case _:
            assert_never(message)

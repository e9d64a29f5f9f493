"""The worker as a step function: golden scripts of events and effects, doubled and late orders among them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

import pytest

from flightmesh.catalog.table import MemorySplit
from flightmesh.driver.graph_edges import edge_plans
from flightmesh.errors import InternalError, InvalidInput
from flightmesh.ids import AttemptId, EdgeId, JobId, StageId, TaskId, WorkerId
from flightmesh.protocol.messages import (
    CancelTask,
    CloseBuckets,
    DriverMessage,
    EdgeReaders,
    EdgeSources,
    FailResult,
    FilterKeys,
    GrantSplits,
    JobReleased,
    KeyDigest,
    KeyForm,
    PlanStage,
    Reader,
    ReaderClosed,
    ReleaseJob,
    ResultDropped,
    ResultRead,
    RunTask,
    SealEdge,
    Source,
    StopTask,
    TaskReport,
    TaskState,
    WantSplits,
)
from flightmesh.worker.actor import Worker
from flightmesh.worker.events import (
    CancelThread,
    CloseLog,
    DropJob,
    FailStreams,
    HandSplits,
    HoldKeys,
    InputClosed,
    NoteSources,
    OpenEdge,
    OrderReceived,
    PushTo,
    ResultStreamDropped,
    ResultStreamEnded,
    SealLog,
    SplitsUsedUp,
    StartTask,
    StopThread,
    TaskEnded,
    TaskProgressed,
    Tell,
    WorkerEffect,
    WorkerEvent,
)
from tests.hand_made import grouping
from tests.scripts import check_script

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path, update_goldens: bool) -> None:
    worker = Worker()

    def play(line: str) -> Sequence[str]:
        try:
            return [line_of(effect) for effect in worker.step(event_of(line), 0.0)]
        except InternalError as error:
            return [f"InternalError: {error.message}"]

    check_script(path, play, update_goldens)
    assert worker.is_idle == path.stem.endswith("_forgotten"), "a script whose name ends so leaves nothing behind"


def event_of(line: str) -> WorkerEvent:
    word, *rest = shlex.split(line)
    match word:
        case "plan":
            return OrderReceived(planned(int(rest[0]), int(rest[1])))
        case "run":
            return OrderReceived(RunTask(attempt_of(rest[0])))
        case "cancel":
            return OrderReceived(CancelTask(attempt_of(rest[0])))
        case "stop":
            return OrderReceived(StopTask(attempt_of(rest[0])))
        case "grant":
            splits = tuple(MemorySplit(int(offset), 100) for offset in rest[3:])
            return OrderReceived(GrantSplits(attempt_of(rest[0]), int(rest[1]), int(rest[2]), splits))
        case "seal":
            winners = tuple(attempt_of(text) for text in rest[2:] if "@" not in text)
            return OrderReceived(SealEdge(JobId(int(rest[0])), EdgeId(int(rest[1])), winners, sources_of(rest[2:])))
        case "sources":
            return OrderReceived(EdgeSources(JobId(int(rest[0])), EdgeId(int(rest[1])), sources_of(rest[2:])))
        case "readers":
            readers = tuple(reader_of(text) for text in rest[2:])
            return OrderReceived(EdgeReaders(JobId(int(rest[0])), EdgeId(int(rest[1])), readers))
        case "fail-result":
            return OrderReceived(FailResult(JobId(int(rest[0])), InvalidInput(rest[1]).to_wire()))
        case "close":
            job, edge, first, last = map(int, rest)
            return OrderReceived(CloseBuckets(JobId(job), EdgeId(edge), first, last))
        case "keys":
            return OrderReceived(FilterKeys(JobId(int(rest[0])), keys_of(int(rest[1]))))
        case "release":
            return OrderReceived(ReleaseJob(JobId(int(rest[0]))))
        case "thread-wants":
            return SplitsUsedUp(attempt_of(rest[0]), int(rest[1]), int(rest[2]))
        case "thread-closed":
            return InputClosed(attempt_of(rest[0]), EdgeId(int(rest[1])))
        case "thread-progressed":
            return TaskProgressed(attempt_of(rest[0]), ())
        case "thread-ended":
            error = InvalidInput(rest[2]).to_wire() if len(rest) > 2 else None
            keys = tuple(keys_of(int(text.removeprefix("keys:"))) for text in rest[2:] if text.startswith("keys:"))
            return TaskEnded(attempt_of(rest[0]), TaskState(rest[1]), error=None if keys else error, keys=keys)
        case "stream-ended":
            return ResultStreamEnded(JobId(int(rest[0])), int(rest[1]))
        case "stream-dropped":
            return ResultStreamDropped(JobId(int(rest[0])), int(rest[1]))
    raise AssertionError(f"no event is called {word}")


def sources_of(texts: Sequence[str]) -> tuple[Source, ...]:
    """`0,2@w1` each: tasks 0 and 2 at worker w1."""
    found = []
    for text in texts:
        tasks, _, worker = text.partition("@")
        if worker:
            found.append(Source(WorkerId(worker), f"grpc://{worker}", tuple(int(task) for task in tasks.split(","))))
    return tuple(found)


def reader_of(text: str) -> Reader:
    """`1.1.0/0@w1`."""
    attempt, _, worker = text.partition("@")
    return Reader(attempt_of(attempt), WorkerId(worker), f"grpc://{worker}")


def keys_of(number: int) -> KeyDigest:
    return KeyDigest(number, 1, 9, True, KeyForm.BOUNDS, b"")


def planned(job: int, stage: int) -> PlanStage:
    """A stage of the grouping of three tasks."""
    graph = grouping(3)
    plans = edge_plans(graph)
    found = graph.stage(StageId(stage))
    return PlanStage(JobId(job), found, tuple(plans[e] for e in found.inputs), tuple(plans[e] for e in found.outputs))


def attempt_of(text: str) -> AttemptId:
    task, number = text.split("/")
    job, stage, index = map(int, task.split("."))
    return AttemptId(TaskId(JobId(job), StageId(stage), index), int(number))


def line_of(effect: WorkerEffect) -> str:
    match effect:
        case Tell(message=message):
            return f"tell: {report_of(message)}"
        case OpenEdge(job=job, plan=plan):
            return f"open edge {plan.edge.id} of {job}: {plan.buckets} buckets"
        case StartTask(attempt=attempt, plan=plan):
            return f"start {attempt} of stage {plan.stage.id}"
        case CancelThread(attempt=attempt):
            return f"cancel thread of {attempt}"
        case StopThread(attempt=attempt):
            return f"stop thread of {attempt}"
        case HandSplits(attempt=attempt, source=source, number=number, splits=splits):
            offsets = " ".join(str(s.offset) for s in splits if isinstance(s, MemorySplit)) or "none left"
            return f"hand {attempt} splits of source {source} #{number}: {offsets}"
        case SealLog(job=job, edge=edge, winners=winners, sources=sources):
            return " ".join([f"seal edge {edge} of {job}:", *map(str, winners), *map(text_of, sources)])
        case NoteSources(job=job, edge=edge, sources=sources):
            return " ".join([f"sources of edge {edge} of {job}:", *map(text_of, sources)])
        case PushTo(job=job, edge=edge, readers=readers):
            return " ".join([f"push edge {edge} of {job} to:", *(f"{r.attempt}@{r.worker}" for r in readers)])
        case HoldKeys(job=job, keys=keys):
            return f"hold keys of filter {keys.filter} of {job}"
        case FailStreams(job=job, error=error):
            return f"fail the result streams of {job}: {error['message']}"
        case CloseLog(job=job, edge=edge, first=first, last=last):
            return f"close edge {edge} of {job}: buckets {first}-{last - 1}"
        case DropJob(job=job):
            return f"drop {job}"
        case _:
            assert_never(effect)


def text_of(source: Source) -> str:
    return f"{','.join(map(str, source.producers))}@{source.worker}"


def report_of(message: DriverMessage) -> str:
    match message:
        case TaskReport(attempt=attempt, sequence=sequence, state=state, error=error, keys=keys):
            told = "".join(f", keys of filter {each.filter}" for each in keys)
            return f"{attempt} #{sequence} {state.value}" + (f": {error['message']}" if error else "") + told
        case WantSplits(attempt=attempt, source=source, number=number):
            return f"{attempt} wants splits of source {source} #{number}"
        case ReaderClosed(attempt=attempt, edge=edge):
            return f"{attempt} closed edge {edge}"
        case JobReleased(job=job):
            return f"released {job}"
        case ResultRead(job=job, partition=partition):
            return f"result {job}.{partition} was read"
        case ResultDropped(job=job, partition=partition):
            return f"result {job}.{partition} was dropped"
        case _:
            assert_never(message)

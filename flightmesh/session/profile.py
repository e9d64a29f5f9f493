"""A job that has run as two files: a timeline that trace viewers open, and all figures that are known of it.

Handed the record of a job; hands on `trace.json`, in the Trace Event Format (Google, 2016; read by chrome://tracing and
ui.perfetto.dev), and `profile.json`. Of the timeline: a worker is a process, with as many threads as it had tasks at a time; a
task is a slice from its start to its end; the slices in it are its operators' own time on a core, from the source on, laid one
after another, since the operators of a task take turns all the while; an arrow leads from the last writer of an edge to each of
its readers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flightmesh.driver.record import EdgeRecord, JobRecord, StageRecord, TaskRecord
from flightmesh.ids import StageId, WorkerId
from flightmesh.protocol.messages import OperatorReport

TRACE, PROFILE = "trace.json", "profile.json"
Event = dict[str, Any]
_DRIVER = 0


def write_profile(record: JobRecord, folder: Path, stages: str | None = None) -> None:
    """Writes both files into a folder, which is made where it is not there. `stages`: the plan as text, for `profile.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRACE).write_text(json.dumps(chrome_trace(record)), encoding="utf-8")
    (folder / PROFILE).write_text(json.dumps(figures_of(record, stages), indent=1), encoding="utf-8")


def chrome_trace(record: JobRecord) -> dict[str, Any]:
    """The timeline; microseconds since the job was submitted."""
    placed = _lanes(record)
    workers = {worker: number for number, worker in enumerate(sorted({worker for worker, _ in placed.values()}), _DRIVER + 1)}
    events = [
        _named("process_name", _DRIVER, 0, f"job {record.job}"),
        _slice("queued", "job", _DRIVER, 0, 0.0, (record.started or record.ended) - record.submitted, {}),
    ]
    if record.started is not None:
        run = {"state": record.state.value, "rows read": record.progress.rows, "bytes read": record.progress.bytes}
        started = record.started - record.submitted
        events.append(_slice("running", "job", _DRIVER, 0, started, record.ended - record.started, run))
    for worker, number in workers.items():
        events.append(_named("process_name", number, 0, f"worker {worker}"))
        events.extend(_named("thread_name", number, lane, f"task {lane + 1}") for lane in _lanes_of(placed, worker))
    for stage in record.stages:
        for task in stage.tasks:
            if (stage.stage, task.index) in placed:
                worker, lane = placed[stage.stage, task.index]
                events.extend(_task(record, stage, task, workers[worker], lane))
    for edge in record.edges:
        events.extend(_arrows(record, edge, placed, workers))
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def figures_of(record: JobRecord, stages: str | None = None) -> dict[str, Any]:
    """All figures, in plain values: seconds, rows, bytes."""
    said: dict[str, Any] = {
        "job": int(record.job),
        "state": record.state.value,
        "seconds": record.seconds,
        "queued_seconds": (record.started or record.ended) - record.submitted,
        "planning_seconds": None if record.planning is None else record.planning.seconds,
        "plan_kept": record.planning is not None and record.planning.kept,
        "rows_read": record.progress.rows,
        "bytes_read": record.progress.bytes,
        "stages": [{"stage": int(stage.stage), "tasks": [_figures(record, t) for t in stage.tasks]} for stage in record.stages],
        "edges": [
            {
                "edge": int(edge.edge),
                "from_stage": int(edge.producer),
                "to_stage": None if edge.consumer is None else int(edge.consumer),
                "mode": edge.mode.value,
                "rows": edge.rows,
                "bytes": edge.bytes,
                "readers_pipelined": edge.pipelined,
                "readers_late": edge.late,
            }
            for edge in record.edges
        ],
    }
    return said if stages is None else {**said, "plan": stages.splitlines()}


def _figures(record: JobRecord, task: TaskRecord) -> dict[str, Any]:
    return {
        "task": task.index,
        "state": task.state.value,
        "worker": task.worker,
        "started": None if task.started is None else task.started - record.submitted,
        "ended": None if task.ended is None else task.ended - record.submitted,
        "splits": task.splits,
        "splits_from_elsewhere": task.elsewhere,
        "operators": [{"operator": report.operator, **_counted(report)} for report in task.operators],
        "written": [{"edge": int(w.edge), "rows": sum(w.rows), "bytes": sum(w.bytes)} for w in task.written],
        "read": [{"edge": int(r.edge), "rows": r.rows, "end": r.end.value} for r in task.read],
    }


def _counted(report: OperatorReport) -> dict[str, Any]:
    return {
        "rows": report.rows,
        "batches": report.batches,
        "bytes": report.bytes,
        "cpu_seconds": report.cpu_ns / 1e9,
        "wait_seconds": report.wait_ns / 1e9,
        **dict(report.details),
    }


Places = dict[tuple[StageId, int], tuple[WorkerId, int]]
"""Of each task that ran (its stage and number) the worker, and which of the worker's threads it is drawn on."""


def _lanes(record: JobRecord) -> Places:
    """Each task on the first thread of its worker that is free when it starts."""
    ran = [(stage.stage, task) for stage in record.stages for task in stage.tasks if task.started is not None]
    placed: Places = {}
    free: dict[WorkerId, list[float]] = {}
    for stage, task in sorted(ran, key=lambda one: (one[1].started or 0.0, one[0], one[1].index)):
        if task.worker is None or task.started is None:
            continue
        ends = free.setdefault(task.worker, [])
        lane = next((number for number, end in enumerate(ends) if end <= task.started), len(ends))
        ends[lane : lane + 1] = [record.ended if task.ended is None else task.ended]
        placed[stage, task.index] = (task.worker, lane)
    return placed


def _lanes_of(placed: Places, worker: WorkerId) -> list[int]:
    return sorted({lane for at, lane in placed.values() if at == worker})


def _task(record: JobRecord, stage: StageRecord, task: TaskRecord, process: int, lane: int) -> Iterator[Event]:
    assert task.started is not None
    started = task.started - record.submitted
    length = (record.ended if task.ended is None else task.ended) - task.started
    about = {
        "state": task.state.value,
        "splits": task.splits,
        "rows in": sum(read.rows for read in task.read),
        "rows out": sum(sum(written.rows) for written in task.written),
        "bytes out": sum(sum(written.bytes) for written in task.written),
    }
    yield _slice(f"stage {stage.stage} task {task.index}", "task", process, lane, started, length, about)
    worked = sum(report.cpu_ns for report in task.operators) / 1e9
    scale = min(1.0, length / worked) if worked else 1.0
    at = started
    for report in reversed(task.operators):
        took = report.cpu_ns / 1e9 * scale
        yield _slice(report.operator, "operator", process, lane, at, took, _counted(report))
        at += took


def _arrows(record: JobRecord, edge: EdgeRecord, placed: Places, workers: dict[WorkerId, int]) -> Iterator[Event]:
    stages = {stage.stage: stage for stage in record.stages}
    if edge.consumer is None or edge.consumer not in stages or edge.producer not in stages:
        return
    writers = [task for task in stages[edge.producer].tasks if task.ended is not None and (edge.producer, task.index) in placed]
    if not writers:
        return
    last = max(writers, key=lambda task: task.ended or 0.0)
    worker, lane = placed[edge.producer, last.index]
    for task in stages[edge.consumer].tasks:
        if task.ended is None or (edge.consumer, task.index) not in placed:
            continue
        there, there_lane = placed[edge.consumer, task.index]
        sent = (last.ended or 0.0) - record.submitted
        taken = max(sent, (task.started or 0.0) - record.submitted)
        told = {"name": f"edge {edge.edge}", "cat": "edge", "id": f"{edge.edge}.{task.index}"}
        yield {**told, "ph": "s", "pid": workers[worker], "tid": lane, "ts": _micros(sent)}
        yield {**told, "ph": "f", "bp": "e", "pid": workers[there], "tid": there_lane, "ts": _micros(taken)}


def _slice(name: str, kind: str, process: int, lane: int, start: float, length: float, about: dict[str, Any]) -> Event:
    at = {"pid": process, "tid": lane, "ts": _micros(start), "dur": _micros(max(0.0, length))}
    return {"name": name, "cat": kind, "ph": "X", **at, "args": about}


def _named(what: str, process: int, lane: int, name: str) -> Event:
    return {"name": what, "ph": "M", "pid": process, "tid": lane, "args": {"name": name}}


def _micros(amount: float) -> float:
    return round(amount * 1e6, 3)

"""The profile of a query: a timeline in which nothing overlaps that was not at once, and the figures of EXPLAIN ANALYZE."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flightmesh.driver.record import JobRecord
from flightmesh.session.profile import chrome_trace, figures_of, write_profile
from tests.meshes import ANYWHERE, session_anywhere

QUERY = "select a.k, count(*) as n from numbers a join numbers b on a.v = b.v where b.v % 3 = 0 group by a.k order by a.k"
ROWS = 30_000
TOLERANCE = 0.01
"""Microseconds that rounding may cost."""


@pytest.fixture(params=ANYWHERE)
def record(request: pytest.FixtureRequest) -> JobRecord:
    with session_anywhere(request.param, request) as session:
        session.upload("numbers", pa.table({"k": [n % 10 for n in range(ROWS)], "v": range(ROWS)}))
        result = session.sql(QUERY)
        assert result.metrics is None
        assert result.to_arrow().num_rows == 10
        found = result.metrics
    assert found is not None
    return found


def slices(trace: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in trace["traceEvents"] if event["ph"] == "X" and event["cat"] == kind]


def end(event: dict[str, Any]) -> float:
    return float(event["ts"] + event["dur"])


def test_the_timeline(record: JobRecord) -> None:
    trace = chrome_trace(record)
    tasks = slices(trace, "task")
    (running,) = (event for event in slices(trace, "job") if event["name"] == "running")
    assert len(tasks) == sum(len(stage.tasks) for stage in record.stages)
    lanes: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for task in tasks:
        assert running["ts"] - TOLERANCE <= task["ts"] <= end(task) <= end(running) + TOLERANCE
        lanes[task["pid"], task["tid"]].append(task)
    for lane, there in lanes.items():
        there.sort(key=lambda task: (task["ts"], end(task)))
        assert all(end(before) <= after["ts"] + TOLERANCE for before, after in itertools.pairwise(there)), lane
    for piece in slices(trace, "operator"):
        owners = [task for task in lanes[piece["pid"], piece["tid"]] if task["ts"] - TOLERANCE <= piece["ts"]]
        assert any(end(piece) <= end(task) + TOLERANCE for task in owners)
    named = {event["pid"] for event in trace["traceEvents"] if event["name"] == "process_name"}
    assert named == {event["pid"] for event in trace["traceEvents"]}
    workers = {task.worker for stage in record.stages for task in stage.tasks}
    assert len({task["pid"] for task in tasks}) == len(workers)


def test_every_arrow_leads_from_a_writer_to_a_reader(record: JobRecord) -> None:
    events = chrome_trace(record)["traceEvents"]
    begun = {event["id"]: event for event in events if event["ph"] == "s"}
    ended = {event["id"]: event for event in events if event["ph"] == "f"}
    readers = {stage.stage: len(stage.tasks) for stage in record.stages}
    assert begun.keys() == ended.keys()
    assert len(begun) == sum(readers[edge.consumer] for edge in record.edges if edge.consumer is not None) > 0
    assert all(begun[name]["ts"] <= ended[name]["ts"] for name in begun)


def test_the_figures_are_those_of_the_record(record: JobRecord) -> None:
    figures = figures_of(record, "Stage 0\n  Scan")
    tasks = [task for stage in figures["stages"] for task in stage["tasks"]]
    reports = [report for stage in record.stages for task in stage.tasks for report in task.operators]
    for name in ("rows", "batches", "bytes"):
        said = [operator[name] for task in tasks for operator in task["operators"]]
        assert said == [getattr(report, name) for report in reports]
        assert sum(said) > 0
    for edge in figures["edges"]:
        written = [part for task in tasks for part in task["written"] if part["edge"] == edge["edge"]]
        assert (sum(part["rows"] for part in written), sum(part["bytes"] for part in written)) == (edge["rows"], edge["bytes"])
    assert figures["plan"] == ["Stage 0", "  Scan"]


def test_the_files(record: JobRecord, tmp_path: Path) -> None:
    write_profile(record, tmp_path / "made" / "here")
    assert json.loads((tmp_path / "made/here/trace.json").read_text()) == chrome_trace(record)
    assert json.loads((tmp_path / "made/here/profile.json").read_text()) == figures_of(record)

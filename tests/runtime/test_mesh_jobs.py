"""Whole stage graphs over several workers in one process: rows cross between them, by get and by put, in whatever order the
stages start."""

from __future__ import annotations

import contextlib
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.catalog.table import MemorySplit, MemoryTable
from flightmesh.errors import Cancelled, StreamBroken
from flightmesh.protocol.messages import ExchangeMode, ReadEnd
from flightmesh.stage.graph import StageGraph
from tests.hand_made import co_partitioned, grouping, joining, scanning, sharing, sorting
from tests.runtime.hand_driver import HandDriver
from tests.runtime.twin import Mesh, mesh_of, task_at, until

ROWS = 300_000
BUILD_ROWS = 500
T = MemoryTable("t", "t#0", pa.schema([("k", pa.int64()), ("v", pa.int64())]), ROWS, 16 * ROWS)
BUILD = MemoryTable("b", "b#1", pa.schema([("k", pa.int64())]), BUILD_ROWS, 8 * BUILD_ROWS)
MODES = list(ExchangeMode)
LINES = ["direct", "flight"]


def fill(mesh: Mesh) -> None:
    rng = np.random.default_rng(5)
    data = pa.table({"k": np.arange(ROWS) % 1000, "v": rng.permutation(ROWS)})
    build = pa.table({"k": np.arange(0, 1000, 2)})
    for twin in mesh.workers:
        twin.tables.put("t", data)
        twin.tables.put("b", build)


def run(mesh: Mesh, graph: StageGraph, mode: ExchangeMode, order: str) -> tuple[pa.Table, HandDriver]:
    fill(mesh)
    driver = HandDriver(mesh, graph, mode)
    if order == "one after the other":
        for stage in graph.stages:
            driver.start(stage)
            driver.pump()
    else:
        driver.start_all(graph.stages if order == "together" else graph.stages[::-1])
        driver.pump()
    driver.succeed()
    table = driver.read_result()
    driver.drop()
    return table, driver


def check(name: str, table: pa.Table) -> None:
    match name:
        case "scanning":
            assert table.column_names == ["k", "v"]
            assert sorted(table["v"].to_pylist()) == list(range(ROWS))
        case "grouping":
            assert dict(zip(*table.to_pydict().values(), strict=True)) == dict.fromkeys(range(1000), ROWS // 1000)
        case "joining" | "co_partitioned":
            assert table.num_rows == ROWS // 2
            assert table["k"].equals(table["b"])
        case "sorting":
            assert table["v"].to_numpy().tolist() == list(range(ROWS - 1, -1, -1))
        case "sharing":
            assert Counter(table["v"].to_pylist()) == dict.fromkeys(range(ROWS), 2)


MAKERS = {
    "scanning": lambda n: scanning(n, T),
    "grouping": lambda n: grouping(n, T),
    "joining": lambda n: joining(n, T, BUILD),
    "co_partitioned": lambda n: co_partitioned(n, T, BUILD),
    "sorting": lambda n: sorting(n, T),
    "sharing": lambda n: sharing(n, T),
}


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("order", ["together", "readers first", "one after the other"])
@pytest.mark.parametrize("name", list(MAKERS))
def test_a_job_over_three_workers(line: str, mode: ExchangeMode, order: str, name: str) -> None:
    with mesh_of(3, line) as mesh:
        table, _ = run(mesh, MAKERS[name](6), mode, order)
        check(name, table)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", ["co_partitioned", "sorting", "sharing"])
def test_a_tiny_window_and_one_slot(line: str, mode: ExchangeMode, name: str) -> None:
    with mesh_of(2, line, window=64 * 1024, slots=1) as mesh:
        table, _ = run(mesh, MAKERS[name](7), mode, "together")
        check(name, table)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_what_was_read_of_whom_is_in_the_report(mode: ExchangeMode) -> None:
    with mesh_of(3) as mesh:
        graph = co_partitioned(3, T, BUILD)
        _, driver = run(mesh, graph, mode, "together")
        written = dict.fromkeys(driver.plans, 0)
        for ended in driver.ended.values():
            for part in ended.written:
                written[part.edge] += sum(part.rows)
        last = [driver.ended[attempt] for attempt in driver.attempts(graph.stages[-1])]
        reads = [op for ended in last for op in ended.operators if op.operator == "ReadExchange"]
        local, remote = (sum(op.detail(name) for op in reads) for name in ("local_rows", "remote_rows"))
        assert local > 0 and remote > 0
        assert local + remote == sum(rows for edge, rows in written.items() if edge != graph.result) == ROWS + BUILD_ROWS
        senders = {name for op in reads for name, _ in op.details if name.startswith("bytes_from ")}
        assert senders == {f"bytes_from {twin.worker}" for twin in mesh.workers}
        assert sum(a for op in reads for n, a in op.details if n.startswith("bytes_from ")) == sum(
            op.detail("remote_bytes") for op in reads
        )
        assert all(read.end is ReadEnd.COMPLETE for ended in last for read in ended.read)


def test_one_task_of_a_worker_reads_a_shared_build() -> None:
    with mesh_of(2) as mesh:
        graph = joining(6, T, BUILD)
        _, driver = run(mesh, graph, ExchangeMode.GET, "together")
        last = [driver.ended[attempt] for attempt in driver.attempts(graph.stages[-1])]
        assert [read.rows for ended in last for read in ended.read if read.end is ReadEnd.COMPLETE] == [BUILD_ROWS] * 2
        assert all(read.rows == 0 for ended in last for read in ended.read if read.end is ReadEnd.CLOSED)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("names", [("k", "v"), ("v",), ()], ids=["all", "one", "none"])
def test_rows_of_a_table_in_memory_at_another_worker(line: str, names: tuple[str, ...]) -> None:
    with mesh_of(2, line) as mesh:
        fill(mesh)
        here, there = mesh.workers
        split = MemorySplit(1000, 70_000, 0, str(there.worker), there.address)
        with task_at(here) as task:
            found = list(task.read_table(T, split, names))
        assert sum(batch.num_rows for batch in found) == 70_000
        if names:
            expected = there.tables.get("t#0").select(list(names)).slice(1000, 70_000)
            assert pa.Table.from_batches(found).equals(expected)


def test_fewer_rows_than_a_split_has_are_an_error() -> None:
    with mesh_of(2) as mesh:
        fill(mesh)
        here, there = mesh.workers
        split = MemorySplit(ROWS - 10, 70_000, 0, str(there.worker), there.address)
        with task_at(here) as task, pytest.raises(StreamBroken, match=f"{there.worker}.*10 rows of 70000"):
            list(task.read_table(T, split, ("k",)))


def test_a_table_of_a_worker_that_is_gone() -> None:
    with mesh_of(2) as mesh:
        fill(mesh)
        split = MemorySplit(0, 10, 0, "w9-abcd", mesh.workers[1].address)
        with task_at(mesh.workers[0]) as task, pytest.raises(StreamBroken, match="w9-abcd is gone"):
            list(task.read_table(T, split, ("k",)))


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", ["co_partitioned", "sorting", "joining"])
def test_cancelling_at_any_moment_leaves_nothing(line: str, mode: ExchangeMode, name: str) -> None:
    with mesh_of(3, line, window=64 * 1024) as mesh:
        fill(mesh)
        for job, events in enumerate((0, 1, 3, 7, 15, 20, 25), start=1):
            driver = HandDriver(mesh, MAKERS[name](6), mode, job)
            driver.start_all(driver.graph.stages)
            for _ in range(events):
                if driver.running():
                    driver.step()
            driver.cancel()
            with contextlib.suppress(Cancelled):
                driver.pump(10)
            driver.raise_failure()
            driver.drop()
            until(lambda: all(twin.board.is_idle and not twin.store.held() for twin in mesh.workers), 2)

"""Whole jobs through driver, worker, exchange store and fragments, on stage graphs made by hand."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.table import MemoryTable
from flightmesh.config import MIB, Config
from flightmesh.driver.record import JobState
from flightmesh.driver.transitions import TaskPhase
from flightmesh.errors import Cancelled, DataError, InternalError, ResourceExhausted
from flightmesh.expression.nodes import Call, Literal
from flightmesh.physical.operators import FilterRows
from flightmesh.protocol.messages import ReadEnd
from flightmesh.runtime.embedded import EmbeddedRuntime
from tests.hand_made import (
    B,
    K,
    V,
    chained_limiting,
    co_partitioned,
    constant,
    cut,
    deep_limiting,
    grouping,
    joining,
    limiting,
    scan,
    scanning,
    sharing,
    sorting,
)
from tests.running import run_on, running

ROWS = 1_500_000
SPLIT_ROWS = 131_072
LONG_SPLITS = 4000  # of the same memory; before the stop reaches a scan it reads some 400, as threads happen to run


@pytest.fixture(scope="module")
def tables() -> MemoryTables:
    stored = MemoryTables()
    rng = np.random.default_rng(5)
    stored.put("t", pa.table({"k": np.arange(ROWS) % 1000, "v": rng.permutation(ROWS)}))
    stored.put("b", pa.table({"k": np.arange(0, 1000, 2)}))
    stored.put("small", pa.table({"k": pa.array([2, 1, 2], pa.int64()), "v": pa.array([7, 8, 9], pa.int64())}))
    chunk = pa.chunked_array([np.arange(SPLIT_ROWS)] * LONG_SPLITS)  # one chunk's memory
    stored.put("long", pa.table({"k": chunk, "v": chunk}))
    return stored


T = MemoryTable("t", "t#0", pa.schema([("k", pa.int64()), ("v", pa.int64())]), ROWS, 16 * ROWS)
BUILD = MemoryTable("b", "b#1", pa.schema([("k", pa.int64())]), 500, 4000)
SMALL = MemoryTable("small", "small#2", pa.schema([("k", pa.int64()), ("v", pa.int64())]), 3, 48)
LONG = MemoryTable(
    "long", "long#3", pa.schema([("k", pa.int64()), ("v", pa.int64())]), LONG_SPLITS * SPLIT_ROWS, 16 * LONG_SPLITS * SPLIT_ROWS
)


SHAPES = ["1 task", "2 tasks", "7 tasks, 1 slot", "7 tasks, encoded"]


@pytest.fixture(params=[(1, 1, False), (2, 2, False), (1, 7, False), (2, 7, True)], ids=SHAPES)
def shape(request: pytest.FixtureRequest) -> Config:
    threads, partitions, encoded = request.param
    return Config(threads=threads, partitions=partitions, encode_messages=encoded)


@pytest.fixture
def runtime(shape: Config, tables: MemoryTables) -> Iterator[EmbeddedRuntime]:
    with running(shape, tables) as up:
        yield up
        assert_empty(up)


def assert_empty(runtime: EmbeddedRuntime) -> None:
    """Nothing is left of any job, anywhere."""
    assert runtime.store.held() == {}
    assert runtime.budget.accounts() == {}
    assert runtime.budget.used == 0
    assert runtime.is_idle
    assert runtime.slots.free == runtime.slots.count


def parts(shape: Config) -> int:
    return shape.tasks


def test_a_scan(runtime: EmbeddedRuntime, shape: Config) -> None:
    table, record = run_on(runtime, scanning(parts(shape), T))
    assert table.num_rows == ROWS
    assert table.column_names == ["k", "v"]
    assert sum(task.splits for task in record.stages[0].tasks) == -(-ROWS // SPLIT_ROWS)
    assert record.progress.rows == ROWS
    assert record.state is JobState.SUCCEEDED


def test_a_grouping(runtime: EmbeddedRuntime, shape: Config) -> None:
    table, record = run_on(runtime, grouping(parts(shape), T))
    assert dict(zip(*table.to_pydict().values(), strict=True)) == dict.fromkeys(range(1000), ROWS // 1000)
    for task in record.stages[1].tasks:
        assert task.read[0].end is ReadEnd.COMPLETE
    written = [w for task in record.stages[0].tasks for w in task.written]
    assert sum(sum(w.rows) for w in written) == sum(task.read[0].rows for task in record.stages[1].tasks)
    assert sum(sum(w.bytes) for w in written) > 0


def test_a_join_over_one_shared_build(runtime: EmbeddedRuntime, shape: Config) -> None:
    table, record = run_on(runtime, joining(parts(shape), T, BUILD))
    assert table.num_rows == ROWS // 2
    assert table["k"].equals(table["b"])
    readers = [task for task in record.stages[1].tasks if task.read[0].end is ReadEnd.COMPLETE]
    assert [reader.read[0].rows for reader in readers] == [500], "one task builds for all"


def test_a_co_partitioned_join(runtime: EmbeddedRuntime, shape: Config) -> None:
    table, record = run_on(runtime, co_partitioned(parts(shape), T, BUILD))
    assert table.num_rows == ROWS // 2
    assert len(record.stages) == 3


def test_sorted_runs_are_merged(runtime: EmbeddedRuntime, shape: Config) -> None:
    table, _ = run_on(runtime, sorting(parts(shape), T))
    assert table["v"].to_numpy().tolist() == list(range(ROWS - 1, -1, -1))


def test_a_stage_with_two_outputs(runtime: EmbeddedRuntime, shape: Config) -> None:
    table, _ = run_on(runtime, sharing(parts(shape), SMALL))
    assert Counter(table["v"].to_pylist()) == {7: 2, 8: 2, 9: 2}


def test_more_tasks_than_rows(runtime: EmbeddedRuntime) -> None:
    table, record = run_on(runtime, grouping(9, SMALL))
    assert sorted(zip(*table.to_pydict().values(), strict=True)) == [(1, 1), (2, 2)]
    assert len(record.stages[1].tasks) == 9


@pytest.mark.parametrize("graph", [limiting, deep_limiting], ids=["limit", "limit behind a stage"])
def test_a_limit_stops_the_scans(runtime: EmbeddedRuntime, shape: Config, graph: object) -> None:
    table, record = run_on(runtime, graph(parts(shape), 10, LONG))  # type: ignore[operator]
    assert table.num_rows == 10
    scans = record.stages[0].tasks
    assert sum(task.splits for task in scans) < LONG_SPLITS / 4
    assert record.progress.rows < LONG_SPLITS * SPLIT_ROWS / 4
    assert all(task.state in (TaskPhase.FINISHED, TaskPhase.SKIPPED) for task in scans)


@pytest.mark.parametrize("count", [0, 10])
def test_a_limit_over_many_stages_stops_the_scans(runtime: EmbeddedRuntime, shape: Config, count: int) -> None:
    table, record = run_on(runtime, chained_limiting(parts(shape), count, LONG))
    assert table.num_rows == count
    assert len(record.stages) == 6
    if count == 0 or parts(shape) <= 2:  # with more tasks each deals few rows at a time, which wait to become blocks
        assert sum(task.splits for task in record.stages[0].tasks) < LONG_SPLITS / 2


def test_closing_the_result_early_cancels_the_job(runtime: EmbeddedRuntime, shape: Config) -> None:
    handle = runtime.submit(scanning(parts(shape), T))
    batches = handle.batches()
    assert next(batches).num_rows > 0
    batches.close()  # type: ignore[attr-defined]
    assert handle.wait_released(10)
    record = handle.record
    assert record is not None
    assert record.state in (JobState.CANCELLED, JobState.SUCCEEDED)


def test_a_result_that_is_not_read_holds_its_producers_and_no_other_job(tables: MemoryTables) -> None:
    wide = cut(FilterRows(scan(K, V, table=T), Call("is_not_null", (V.column(),), pa.bool_())), 2)
    with running(Config(threads=1, partitions=2, memory=512 * MIB), tables) as runtime:
        handles = [runtime.submit(wide) for _ in range(12)]
        readers = [handle.batches() for handle in handles]
        for reader in readers:
            next(reader)
        assert run_on(runtime, grouping(2, SMALL))[0].num_rows == 2
        assert sum(batch.num_rows for reader in readers for batch in reader) < 12 * ROWS
        assert_empty(runtime)


def test_an_error_of_a_task_reaches_the_reader_with_its_type(runtime: EmbeddedRuntime, shape: Config) -> None:
    wrong = Call("equal", (Call("int_divide", (K.column(), _minus(V, V)), pa.int64()), Literal(pa.scalar(1))), pa.bool_())
    graph = cut(FilterRows(scan(K, V, table=T), wrong), parts(shape))
    handle = runtime.submit(graph)
    try:
        rows = sum(batch.num_rows for batch in handle.batches())
    except DataError:
        assert handle.record is not None
        assert handle.record.state is JobState.FAILED
    else:
        assert rows == 0, "a dialect in which x // 0 is NULL"
    assert handle.wait_released(10)


def _minus(left: object, right: object) -> Call:
    return Call("subtract", (V.column(), V.column()), pa.int64())


def test_a_bug_in_a_task_is_an_internal_error_without_a_traceback(runtime: EmbeddedRuntime, shape: Config) -> None:
    gone = MemoryTable("gone", "gone#99", T.schema, 10, 160)
    handle = runtime.submit(scanning(parts(shape), gone))
    with pytest.raises(InternalError) as caught:
        list(handle.batches())
    assert "gone#99" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert handle.wait_released(10)


def test_past_the_memory_budget_the_job_ends_and_the_next_one_runs(tables: MemoryTables) -> None:
    with running(Config(threads=2, partitions=2, memory=4 * MIB), tables) as runtime:
        handle = runtime.submit(sorting(2, T))
        with pytest.raises(ResourceExhausted) as caught:
            list(handle.batches())
        assert "sorting" in caught.value.message
        assert "budget of 4.0 MiB" in caught.value.message
        assert handle.wait_released(10)
        assert run_on(runtime, grouping(2, SMALL))[0].num_rows == 2
        assert_empty(runtime)


def test_cancelling_ends_every_task_promptly(runtime: EmbeddedRuntime, shape: Config) -> None:
    # Every pair of a million and a half rows: it would run for hours.
    endless = replace(joining(parts(shape), T, T).stages[1].root, keys=())
    graph = joining(parts(shape), T, T)
    graph = replace(graph, stages=(graph.stages[0], replace(graph.stages[1], root=endless)))
    handle = runtime.submit(graph)
    failed: list[BaseException] = []

    def read() -> None:
        try:
            for _ in handle.batches():
                pass
        except BaseException as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    started = time.monotonic()
    while handle.progress.rows == 0 and time.monotonic() < started + 10:
        threading.Event().wait(0.01)
    handle.cancel("enough of it")
    reader.join(5)
    assert [type(error) for error in failed] == [Cancelled]
    assert "enough of it" in str(failed[0])
    assert handle.wait_released(5)


def test_jobs_of_many_threads_at_once(runtime: EmbeddedRuntime, shape: Config) -> None:
    graphs = [grouping(parts(shape), T), joining(parts(shape), SMALL, BUILD), sharing(parts(shape), SMALL), constant(5)]
    expected = [1000, 2, 6, 5]
    found: list[tuple[int, int]] = []

    def client(offset: int) -> None:
        for turn in range(4):
            which = (offset + turn) % 4
            found.append((which, run_on(runtime, graphs[which])[0].num_rows))

    clients = [threading.Thread(target=client, args=(i,)) for i in range(6)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join(60)
    assert len(found) == 24
    assert {(which, expected[which]) for which in range(4)} == set(found)


def test_progress_is_seen_while_a_job_runs(tables: MemoryTables) -> None:
    with running(Config(threads=1, partitions=3), tables) as runtime:
        handle = runtime.submit(grouping(3, T))
        assert handle.progress.tasks == 6
        list(handle.batches())
        last = handle.progress
        assert (last.stages_done, last.tasks_done, last.rows) == (2, 6, ROWS)
        assert last.bytes == 8 * ROWS


def test_threads_end_with_the_runtime(shape: Config, tables: MemoryTables) -> None:
    before = set(threading.enumerate())
    runtime = EmbeddedRuntime(shape, tables)
    run_on(runtime, grouping(parts(shape), T))
    abandoned = runtime.submit(scanning(parts(shape), T))
    reader = abandoned.batches()
    next(reader)
    runtime.close()
    runtime.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(Cancelled, match="closed"):
        runtime.submit(constant())
    with pytest.raises(Cancelled, match="closed"):
        list(reader)


def test_a_trivial_job_takes_under_five_milliseconds(tables: MemoryTables) -> None:
    with running(Config(threads=2, partitions=2), tables) as runtime:
        graph = constant()
        taken = []
        for _ in range(40):
            started = time.perf_counter()
            run_on(runtime, graph)
            taken.append(time.perf_counter() - started)
        assert min(taken) < 0.005


def test_one_slot_is_never_held_by_a_waiting_task(tables: MemoryTables) -> None:
    with running(Config(threads=1, partitions=7), tables) as runtime:
        table, _ = run_on(runtime, co_partitioned(7, T, BUILD))
        assert table.num_rows == ROWS // 2
        assert B.name in table.column_names
        assert_empty(runtime)

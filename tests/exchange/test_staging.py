"""What producers stage: within the store's memory, accounted for, handed on in time and in useful sizes."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.errors import ResourceExhausted
from flightmesh.exchange.blocks import STAGE_BYTES
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.memory import STAGE_LEAST_BYTES, ChannelMemory
from flightmesh.exchange.sink import Sink
from flightmesh.ids import JobId
from flightmesh.physical.partitioning import Hash
from tests.exchange.edges import JOB, K, attempt, batch, drained, open_log, plan, sink, spilling, taken

MIB = 1 << 20
HASHED = plan(Hash((K.column(),), 4), consumers=1)


def numbers(rows: int, seed: int = 0) -> pa.RecordBatch:
    return pa.record_batch({"c1": np.random.default_rng(seed).integers(0, 1 << 60, rows)})


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is handed on for having waited."""
    monkeypatch.setattr("flightmesh.exchange.blocks.STAGE_SECONDS", 3600.0)


def test_the_more_producers_the_less_each_may_stage() -> None:
    memory = ChannelMemory(MemoryBudget(1 << 30), 16 * MIB, None)
    assert memory.stage_limit() == 4 * MIB
    for index in range(4):
        memory.producer_came(JOB, index)
    assert memory.stage_limit() == MIB
    for index in range(1000):
        memory.producer_came(JobId(8), index)
    assert memory.stage_limit() == STAGE_LEAST_BYTES
    memory.forget(JobId(8))
    memory.producer_left(JOB, 0)
    memory.producer_left(JOB, 0)
    memory.producer_left(JOB, 1)
    assert memory.stage_limit() == 2 * MIB


@pytest.mark.usefixtures("patient")
def test_staged_rows_are_accounted_for_until_they_are_blocks_or_dropped() -> None:
    store, log = open_log(HASHED)
    out = sink(log)
    out.put(numbers(1000))
    assert log.held == 0
    assert store.budget.used == 8000 == store.figures().memory
    out.finish()
    assert log.held == 8000 == store.budget.used
    dropped = sink(log, 1)
    dropped.put(numbers(1000))
    assert store.budget.used == 16_000
    dropped.close()
    dropped.close()
    assert store.budget.used == 8000
    store.release(JOB)
    assert store.budget.accounts() == {}


@pytest.mark.usefixtures("patient")
def test_what_a_released_job_had_staged_is_given_back_once() -> None:
    store, log = open_log(HASHED)
    out = sink(log)
    out.put(numbers(1000))
    store.release(JOB)
    assert store.budget.used == 0
    out.finish()
    assert store.budget.used == 0
    assert store.figures().memory == 0


@pytest.mark.usefixtures("patient")
def test_with_much_memory_blocks_are_large() -> None:
    _, log = open_log(HASHED)
    out = sink(log)
    for seed in range(20):
        out.put(numbers(50_000, seed))
    reader = log.reader(range(4))
    sizes = []
    while (entry := reader.take()) is not None:
        sizes.append(entry.size)
    assert min(sizes) > 200_000
    assert sum(sizes) >= STAGE_BYTES


@pytest.mark.usefixtures("patient")
def test_with_little_memory_less_is_staged_and_large_batches_go_in_pieces(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=2 * MIB)
    log = store.open(JOB, HASHED)
    sinks = [sink(log, index) for index in range(3)]
    most = 0
    sent: list[int] = []
    for index, out in enumerate(sinks):
        made = numbers(300_000, index)
        assert made.nbytes > 2 * MIB
        out.put(made)
        sent.extend(made.column(0).to_pylist())
        most = max(most, store.figures().memory)
    assert most <= 2 * MIB
    assert store.figures().memory == store.budget.used
    for out in sinks:
        out.finish()
    log.seal(tuple(attempt(i) for i in range(3)))
    assert sorted(drained(log.reader(range(4)))) == sorted(sent)
    assert store.figures().memory == 0
    assert sum(out.spilled_bytes for out in sinks) == log.spilled_ever > 0
    assert sum(out.spill_ns for out in sinks) > 0


@pytest.mark.usefixtures("patient")
def test_with_no_room_at_all_slices_go_through_at_once(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=0)
    log = store.open(JOB, HASHED)
    out = sink(log)
    made = numbers(1000)
    out.put(made)
    assert (store.figures().memory, log.spilled) == (0, 8000)
    assert sorted(taken(log.reader(range(4)))) == sorted(made.column(0).to_pylist())


@pytest.mark.usefixtures("patient")
def test_without_a_disk_staging_past_the_budget_is_an_error_that_costs_nothing() -> None:
    store, log = open_log(HASHED, limit=10_000)
    out = sink(log)
    out.put(numbers(1000))
    with pytest.raises(ResourceExhausted, match="rows in the exchange store"):
        out.put(numbers(1000))
    out.close()
    assert store.budget.used == 0


def test_slow_rows_are_handed_on_at_the_next_batch_or_check(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("flightmesh.exchange.blocks.time.monotonic", lambda: now)
    _, log = open_log(HASHED)
    out = Sink(attempt(), [log], lambda: None, nullcontext)
    reader = log.reader(range(4))
    out.put(batch(1, 2))
    out.flush_due()
    assert taken(reader) == []
    now += 0.2
    out.flush_due()
    assert sorted(taken(reader)) == [1, 2]
    out.put(batch(3))
    now += 0.05
    out.put(batch(4))
    assert taken(reader) == [], "the wait begins with the first row"
    now += 0.06
    out.put(batch(5))
    assert sorted(taken(reader)) == [3, 4, 5]
    now += 1
    out.flush_due()
    assert taken(reader) == []


def test_twenty_times_the_memory_by_many_producers(tmp_path: Path) -> None:
    """16 producers put 20 times the share through an edge that nobody reads yet: the account never passes the share."""
    store = spilling(tmp_path, memory=4 * MIB)
    log = store.open(JOB, plan(Hash((K.column(),), 16), consumers=4))
    most = [0]
    sums = [0] * 16
    failed: list[BaseException] = []

    def produce(index: int) -> None:
        try:
            out = sink(log, index)
            for turn in range(10):
                made = numbers(65_536, 100 * index + turn)
                sums[index] += int(made.column(0).to_numpy().astype(object).sum())
                out.put(made)
                most[0] = max(most[0], store.figures().memory)
            out.finish()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=produce, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failed == []
    assert most[0] <= 4 * MIB
    assert store.figures().spilled_ever > 70 * MIB
    log.seal(tuple(attempt(i) for i in range(16)))
    assert sum(sum(drained(log.reader(log.plan.range_of(i)))) for i in range(4)) == sum(sums)
    assert store.figures().files == 0

"""The exchange store: order, seals, early closing, memory, and blocks that own their bytes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.errors import Cancelled, InternalError, ResourceExhausted
from flightmesh.exchange.blocks import Staging, owned
from flightmesh.exchange.budget import MemoryBudget, format_bytes
from flightmesh.exchange.memory import ChannelMemory, ProducerRoom
from flightmesh.exchange.sink import Sink
from flightmesh.ids import EdgeId, JobId
from flightmesh.physical.partitioning import Broadcast, Hash, RoundRobin, Single
from tests.exchange.edges import JOB, K, S, attempt, batch, drained, open_log, plan, sink


def test_a_reader_gets_the_rows_of_its_buckets_in_order_and_then_the_end() -> None:
    _, log = open_log(plan(RoundRobin(4), consumers=2))
    log.append(attempt(0), [(0, batch(1)), (1, batch(2)), (2, batch(3))])
    log.append(attempt(1), [(0, batch(4))])
    log.seal((attempt(0), attempt(1)))
    first, second = (log.reader(log.plan.range_of(i)) for i in (0, 1))
    assert drained(first) == [1, 4, 2]
    assert drained(second) == [3]
    assert (first.rows, second.rows) == (3, 1)
    assert log.held == 0, "a bucket with one reader is dropped as it is read"


def test_more_readers_than_buckets_leaves_some_without_rows() -> None:
    _, log = open_log(plan(RoundRobin(2), consumers=5))
    log.append(attempt(), [(0, batch(1)), (1, batch(2))])
    log.seal((attempt(),))
    assert sorted(row for i in range(5) for row in drained(log.reader(log.plan.range_of(i)))) == [1, 2]


def test_a_broadcast_is_kept_until_every_reader_has_had_it() -> None:
    store, log = open_log(plan(Broadcast(), consumers=2, reads=2))
    log.append(attempt(), [(0, batch(1, 2))])
    log.seal((attempt(),))
    assert drained(log.reader(range(1))) == [1, 2]
    assert store.budget.used > 0
    assert drained(log.reader(range(1))) == [1, 2]
    assert store.budget.used == 0


def test_runs_are_read_a_producer_at_a_time() -> None:
    _, log = open_log(plan(Single()))
    for index, keys in ((0, (1, 5)), (1, (2, 3)), (0, (7,))):
        log.append(attempt(index), [(0, batch(*keys))])
    log.seal((attempt(0), attempt(1)))
    runs = [log.reader(range(1), producer) for producer in (0, 1)]
    assert [drained(run) for run in runs] == [[1, 5, 7], [2, 3]]
    assert log.held == 0


def test_a_reader_waits_for_rows_and_for_the_seal() -> None:
    _, log = open_log(plan(Single()))
    rows: list[int] = []
    reader = threading.Thread(target=lambda: rows.extend(drained(log.reader(range(1)))))
    reader.start()
    log.append(attempt(), [(0, batch(1))])
    log.append(attempt(), [(0, batch(2))])
    log.seal((attempt(),))
    reader.join(10)
    assert rows == [1, 2]


def test_a_waiting_reader_is_woken_to_look_at_its_check() -> None:
    store, log = open_log(plan(Single()))
    ended = threading.Event()
    waiting = threading.Event()
    caught: list[str] = []

    def check() -> None:
        waiting.set()
        if ended.is_set():
            raise Cancelled("enough")

    def read() -> None:
        try:
            log.reader(range(1)).next(check, nullcontext)
        except Cancelled as error:
            caught.append(error.message)

    thread = threading.Thread(target=read)
    thread.start()
    assert waiting.wait(10)
    ended.set()
    store.wake(JOB)
    thread.join(10)
    assert caught == ["enough"]


def test_only_the_winners_rows_count() -> None:
    _, log = open_log(plan(Single()))
    log.append(attempt(0, number=0), [(0, batch(1))])
    log.append(attempt(0, number=1), [(0, batch(2))])
    log.seal((attempt(0, number=1),))
    log.append(attempt(0, number=0), [(0, batch(3))])
    assert drained(log.reader(range(1))) == [2]


def test_rows_read_from_a_loser_are_an_error() -> None:
    _, log = open_log(plan(Single()))
    log.append(attempt(0, number=0), [(0, batch(1))])
    reader = log.reader(range(1))
    assert reader.next(lambda: None, nullcontext) is not None
    log.seal((attempt(0, number=1),))
    with pytest.raises(InternalError, match="which did not win"):
        reader.next(lambda: None, nullcontext)


def test_closed_buckets_drop_what_they_hold_and_what_comes() -> None:
    store, log = open_log(plan(RoundRobin(2), consumers=2))
    log.append(attempt(), [(0, batch(1)), (1, batch(2))])
    log.close(range(0, 1))
    held = log.held
    log.append(attempt(), [(0, batch(3))])
    assert log.held == held == batch(2).nbytes
    log.seal((attempt(),))
    assert drained(log.reader(range(2))) == [2]
    assert store.budget.used == 0


def test_a_released_job_leaves_nothing_and_takes_nothing() -> None:
    store, log = open_log(plan(Single()))
    log.append(attempt(), [(0, batch(1))])
    assert store.held() == {(JOB, EdgeId(0)): batch(1).nbytes}
    store.release(JOB)
    log.append(attempt(), [(0, batch(2))])
    assert store.held() == {}
    assert store.budget.used == 0
    assert store.budget.accounts() == {}
    with pytest.raises(InternalError, match="not open"):
        store.log(JOB, EdgeId(0))


def test_past_the_budget_the_error_names_the_figures() -> None:
    store, log = open_log(plan(Single()), limit=1000)
    store.budget.take(JOB, "a build", 900)
    log.append(attempt(), [(0, batch(1))])
    with pytest.raises(ResourceExhausted) as caught:
        log.append(attempt(), [(0, batch(*range(20)))])
    message = caught.value.message
    assert "rows in the exchange store needs 160 B more" in message
    assert "908 B of the budget of 1000 B are in use" in message
    assert "a build 900 B" in message
    assert store.budget.used == 908, "what was refused is not accounted for"


def test_a_credited_edge_holds_its_producers_until_it_is_read() -> None:
    _, log = open_log(plan(Single(), 1, 1, 100))
    out = sink(log)
    done = threading.Event()
    waiting = threading.Event()

    class Blocked(nullcontext[None]):
        def __enter__(self) -> None:
            waiting.set()

    def produce() -> None:
        held = Sink(attempt(), [log], lambda: None, Blocked)
        for _ in range(3):
            held.put(batch(*range(10)))
        done.set()

    reader = log.reader(range(1))
    threading.Thread(target=produce, daemon=True).start()
    assert waiting.wait(10)
    assert not done.is_set()
    for _ in range(3):
        assert reader.next(lambda: None, nullcontext) is not None
    assert done.wait(10)
    assert out.written()[0].rows == (0,)


@pytest.mark.parametrize("buckets", [1, 2, 28])
def test_a_hash_sink_sends_every_row_once_and_equal_keys_together(buckets: int) -> None:
    _, log = open_log(plan(Hash((K.column(),), buckets), consumers=buckets))
    rng = np.random.default_rng(1)
    sent: list[int] = []
    out = sink(log)
    for size in (0, 1, 1000, 70_000, 3):
        keys = rng.integers(0, 500, size)
        sent.extend(keys.tolist())
        out.put(pa.record_batch({"c1": keys}))
    out.finish()
    log.seal((attempt(),))
    received = [drained(log.reader(log.plan.range_of(i))) for i in range(buckets)]
    assert sorted(row for part in received for row in part) == sorted(sent)
    owners = [set(part) for part in received]
    assert sum(len(keys) for keys in owners) == len(set(sent)), "a key is in one bucket only"
    written = out.written()[0]
    assert written.rows == tuple(len(part) for part in received)
    assert sum(written.bytes) >= 8 * len(sent)


def test_round_robin_spreads_one_large_batch() -> None:
    _, log = open_log(plan(RoundRobin(4), consumers=4))
    out = sink(log)
    out.put(pa.record_batch({"c1": pa.array(range(100_000), pa.int64())}))
    out.finish()
    assert min(out.written()[0].rows) >= 20_000


def test_a_sink_decodes_dictionaries_and_orders_columns_as_the_edge_has_them() -> None:
    _, log = open_log(plan(Single(), 1, 1, None, K, S))
    out = sink(log)
    texts = pa.array(["x", "y", "x"]).dictionary_encode()
    out.put(pa.record_batch({"c2": texts, "c1": pa.array([1, 2, 3], pa.int64())}))
    out.finish()
    got = log.reader(range(1)).next(lambda: None, nullcontext)
    assert got is not None
    assert got.to_pydict() == {"c1": [1, 2, 3], "c2": ["x", "y", "x"]}
    assert got.schema.types == [pa.int64(), pa.string()]


def slices_of(parent: pa.RecordBatch, count: int) -> Sequence[tuple[int, pa.RecordBatch]]:
    size = parent.num_rows // count
    return [(i, parent.slice(i * size, size)) for i in range(count)]


def test_blocks_do_not_pin_their_parents() -> None:
    parent = pa.record_batch({"c1": pa.array(np.arange(16_000)), "c2": pa.array([f"text {i}" for i in range(16_000)])})
    staging = Staging(16, ProducerRoom(ChannelMemory(MemoryBudget(1 << 30), 1 << 30, None), JOB))
    assert staging.add(slices_of(parent, 16), parent.nbytes) == [], "small slices wait for more"
    blocks = staging.flush()
    assert len(blocks) == 16
    for bucket, block in blocks:
        assert block.equals(parent.slice(bucket * 1000, 1000))
        assert block.get_total_buffer_size() <= 2 * block.nbytes


def test_a_whole_batch_passes_by_reference() -> None:
    whole = pa.record_batch({"c1": pa.array(np.arange(100_000))})
    assert owned([whole]) is whole
    assert owned([whole.slice(0, 10)]).get_total_buffer_size() < 1000
    _, log = open_log(plan(Single()))
    sink(log).put(whole)
    got = log.reader(range(1)).next(lambda: None, nullcontext)
    assert got is not None
    assert got.column(0).buffers()[1].address == whole.column(0).buffers()[1].address


def test_staged_slices_become_blocks_once_there_are_enough() -> None:
    staging = Staging(4, ProducerRoom(ChannelMemory(MemoryBudget(1 << 30), 1 << 30, None), JOB))
    parent = pa.record_batch({"c1": pa.array(np.arange(400_000))})
    blocks = [block for _ in range(4) for block in staging.add(slices_of(parent, 4), parent.nbytes)]
    assert {bucket for bucket, _ in blocks} == {0, 1, 2, 3}
    assert all(block.nbytes >= 256 * 1024 for _, block in blocks)


def test_a_budget_forgets_a_job_whole() -> None:
    budget = MemoryBudget(100)
    budget.take(JOB, "a", 40)
    budget.take(JobId(8), "a", 40)
    budget.forget(JOB)
    assert budget.used == 40
    assert budget.accounts() == {(JobId(8), "a"): 40}
    budget.give(JOB, "a", 40)
    assert budget.used == 40, "it has been given back"
    budget.give(JobId(8), "a", 40)
    assert (budget.used, budget.accounts()) == (0, {})


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")])
def test_sizes_as_people_read_them(size: int, text: str) -> None:
    assert format_bytes(size) == text

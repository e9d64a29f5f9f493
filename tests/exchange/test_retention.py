"""How long entries stay, by the edge's policy; marks; readers that poll, wait and watch; credit; endless edges."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.errors import Cancelled
from flightmesh.exchange.entries import TRIM
from flightmesh.exchange.log import EdgeLog, LogReader
from flightmesh.exchange.sink import Sink
from flightmesh.physical.partitioning import Broadcast, Hash, RoundRobin, Single
from flightmesh.protocol.frames import EntryKind
from flightmesh.protocol.messages import Retention
from tests.exchange.edges import JOB, K, attempt, batch, counting, drained, kept, long_batch, open_log, plan, spilling, taken
from tests.waiting import wait_until

NOTHING = batch()
LONG = 8000


def kinds(reader: LogReader) -> list[EntryKind]:
    found = []
    while (entry := reader.take()) is not None:
        found.append(entry.kind)
    return found


def test_entries_say_whose_they_are_and_of_what_kind() -> None:
    _, log = open_log(kept(RoundRobin(2), Retention.READ))
    log.append(attempt(0), [(0, batch(1, 2))])
    log.mark(attempt(0), EntryKind.WATERMARK, batch(99))
    log.append(attempt(1), [(0, batch(3))])
    reader = log.reader(range(1))
    entries = [reader.take() for _ in range(3)]
    assert [(e.producer, e.kind, e.batch.column(0).to_pylist(), e.size) for e in entries if e is not None] == [
        (attempt(0), EntryKind.DATA, [1, 2], 16),
        (attempt(0), EntryKind.WATERMARK, [99], 8),
        (attempt(1), EntryKind.DATA, [3], 8),
    ]
    assert (reader.take(), reader.ended, reader.rows) == (None, False, 3)
    log.seal((attempt(0), attempt(1)))
    assert (reader.take(), reader.ended) == (None, True)
    assert kinds(log.reader(range(1, 2))) == [EntryKind.WATERMARK], "a mark goes to every bucket"


def test_rows_are_read_past_marks() -> None:
    _, log = open_log(kept(Single(), Retention.READ))
    log.append(attempt(0), [(0, batch(1))])
    log.mark(attempt(0), EntryKind.BARRIER, NOTHING)
    log.append(attempt(0), [(0, batch(2))])
    log.mark(attempt(0), EntryKind.WATERMARK, NOTHING)
    log.seal((attempt(0),))
    assert drained(log.reader(range(1))) == [1, 2]
    assert log.held == 0


def test_what_is_kept_to_the_jobs_end_can_be_read_any_number_of_times() -> None:
    store, log = open_log(kept(Broadcast(), Retention.JOB, consumers=2))
    log.append(attempt(), [(0, batch(1, 2))])
    log.seal((attempt(),))
    assert [drained(log.reader(range(1))) for _ in range(4)] == [[1, 2]] * 4
    assert log.held == 16
    log.close(range(1))
    assert (log.held, store.budget.used) == (0, 0)
    assert drained(log.reader(range(1))) == []


def test_an_epoch_goes_once_every_reader_has_read_its_barrier() -> None:
    _, log = open_log(kept(Broadcast(), Retention.EPOCH, consumers=2, reads=2))
    first, second = log.reader(range(1)), log.reader(range(1))
    log.append(attempt(0), [(0, batch(1))])
    log.append(attempt(1), [(0, batch(2))])
    log.mark(attempt(0), EntryKind.BARRIER, NOTHING)
    log.append(attempt(0), [(0, batch(3))])
    assert taken(first) == [1, 2, 3]
    assert log.held == 24, "the other reader has not had the barrier"
    assert taken(second) == [1, 2, 3]
    assert log.held == 16, "the epoch of that producer only"
    assert taken(log.reader(range(1))) == [2, 3], "a reader that restarts gets the open epochs whole"
    log.mark(attempt(1), EntryKind.BARRIER, NOTHING)
    assert (taken(first), taken(second)) == ([], [])
    assert log.held == 8


def test_an_epoch_goes_from_disk_too(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=0)
    log = store.open(JOB, kept(Single(), Retention.EPOCH))
    reader = log.reader(range(1))
    for epoch in range(3):
        log.append(attempt(), [(0, long_batch(1000 * epoch))])
        log.mark(attempt(), EntryKind.BARRIER, NOTHING)
    assert log.spilled == 3 * LONG
    assert taken(reader) == counting([0, 1000, 2000])
    assert (log.spilled, store.figures().files) == (0, 0)


@pytest.mark.parametrize("retention", [Retention.READ, Retention.EPOCH])
def test_an_endless_source_through_a_shuffle_runs_in_flat_memory(tmp_path: Path, retention: Retention) -> None:
    """Thousands of batches through a hash edge with two readers that keep up: what the store holds, and what it needs for
    its books, stay as they are."""
    store = spilling(tmp_path, memory=1 << 20)
    log = store.open(JOB, kept(Hash((K.column(),), 4), retention, consumers=2))
    out = Sink(attempt(), [log], lambda: None, nullcontext)
    read = [0, 0]
    over = threading.Event()

    def check() -> None:
        if over.is_set():
            raise Cancelled("enough")

    def consume(index: int) -> None:
        reader = log.reader(log.plan.range_of(index))
        try:
            while (got := reader.next(check, nullcontext)) is not None:
                read[index] += got.num_rows
        except Cancelled:
            return

    readers = [threading.Thread(target=consume, args=(i,)) for i in range(2)]
    for thread in readers:
        thread.start()
    try:
        rng = np.random.default_rng(3)
        sent, most, books = 0, 0, 0
        for number in range(4000):
            out.put(pa.record_batch({"c1": rng.integers(0, 1 << 40, 2000)}))
            sent += 2000
            most = max(most, store.budget.used)
            if number % 50 == 49:
                out.mark(EntryKind.BARRIER, NOTHING)
                wait_until(lambda sent=sent: sum(read) == sent and log.held + log.spilled == 0)  # type: ignore[misc]
                assert store.budget.used == 0
                books = max(books, sum(bucket.end - bucket.first for bucket in log.buckets))
        assert sum(read) == sent == 8_000_000
        assert most <= 1 << 20, "64 MB went through"
        assert books < 4 * TRIM
        assert store.figures().files == 0
    finally:
        over.set()
        log.wake()
        for thread in readers:
            thread.join(20)


def test_an_endless_edge_that_nobody_reads_for_a_while_grows_on_disk_only(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=100_000)
    log = store.open(JOB, kept(Single(), Retention.READ))
    reader = log.reader(range(1))
    for turn in range(20):
        for number in range(50):
            log.append(attempt(), [(0, long_batch(number))])
            assert log.held <= 100_000
        assert log.spilled > 0
        assert len(taken(reader)) == 50_000
        assert (log.held, log.spilled, store.figures().files) == (0, 0, 0), f"turn {turn}"


def test_who_watches_hears_of_every_change_without_a_lock() -> None:
    _, log = open_log(plan(Single()))
    heard: list[int] = []
    reader = log.reader(range(1))

    def look() -> None:
        seen = threading.Thread(target=lambda: heard.append(len(taken(reader))))
        seen.start()
        seen.join(10)
        assert not seen.is_alive(), "the log's lock is held"

    unwatch = log.watch(look)
    log.append(attempt(), [(0, batch(1, 2))])
    log.mark(attempt(), EntryKind.WATERMARK, NOTHING)
    log.wake()
    log.seal((attempt(),))
    log.close(range(1))
    assert heard == [2, 0, 0, 0, 0]
    unwatch()
    unwatch()
    log.wake()
    assert len(heard) == 5


def test_waiting_ends_with_a_change_or_in_time() -> None:
    _, log = open_log(plan(Single()))
    reader = log.reader(range(1))
    assert reader.take() is None
    reader.wait(0.01)
    assert reader.take() is None
    log.wake()
    reader.wait(60)  # what happened since the last look counts: it does not wait
    assert reader.take() is None
    waiting = threading.Thread(target=lambda: reader.wait(60))
    waiting.start()
    log.append(attempt(), [(0, batch(1))])
    waiting.join(20)
    assert not waiting.is_alive()
    assert taken(reader) == [1]


class Waiting(nullcontext[None]):
    """Sets `event` when a producer waits."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self.event = event

    def __enter__(self) -> None:
        self.event.set()


def producing(log: EdgeLog, index: int, batches: int) -> tuple[threading.Event, threading.Event, threading.Thread]:
    """A thread that puts batches of 80 bytes; set: it waits, it is done."""
    waits, done = threading.Event(), threading.Event()

    def produce() -> None:
        out = Sink(attempt(index), [log], lambda: None, lambda: Waiting(waits))
        for _ in range(batches):
            out.put(batch(*range(10)))
        out.finish()
        done.set()

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    return waits, done, thread


def test_credit_is_each_producers_own() -> None:
    _, log = open_log(plan(Single(), 1, 1, 100))
    first = log.reader(range(1), 0)
    second = log.reader(range(1), 1)
    waits, done, slow = producing(log, 0, 3)
    assert waits.wait(20)
    for _ in range(5):
        log.append(attempt(1), [(0, batch(*range(10)))])
        assert second.take() is not None
    other_waits, other_done, quick = producing(log, 1, 1)
    assert other_done.wait(20)
    assert not other_waits.is_set()
    assert not done.is_set()
    assert first.take() is not None
    assert first.take() is not None
    assert done.wait(20)
    slow.join(20)
    quick.join(20)


def test_no_producer_waits_for_a_reader_that_is_not_there(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=100)
    log = store.open(JOB, plan(Single(), 1, 1, 100))
    other = log.reader(range(1), 1)
    _, done, thread = producing(log, 0, 20)
    assert done.wait(20)
    thread.join(20)
    assert log.spilled > 0
    log.seal((attempt(0),))
    assert len(drained(log.reader(range(1), 0))) == 200
    assert drained(other) == []


def test_a_reader_that_goes_lets_its_producer_go_on() -> None:
    _, log = open_log(plan(Single(), 1, 1, 100))
    reader = log.reader(range(1))
    waits, done, thread = producing(log, 0, 20)
    assert waits.wait(20)
    assert not done.is_set()
    reader.close()
    reader.close()
    assert done.wait(20)
    thread.join(20)


def test_credit_counts_what_is_on_disk(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=0)
    log = store.open(JOB, plan(Single(), 1, 1, 100))
    reader = log.reader(range(1))
    waits, done, thread = producing(log, 0, 4)
    assert waits.wait(20)
    assert not done.is_set()
    while not done.is_set():
        reader.take()
        reader.wait(0.01)
    thread.join(20)


def test_a_cancel_wakes_who_waits_for_credit() -> None:
    store, log = open_log(plan(Single(), 1, 1, 0))
    log.reader(range(1))
    over, waits = threading.Event(), threading.Event()
    caught: list[str] = []

    def check() -> None:
        if over.is_set():
            raise Cancelled("enough")

    def produce() -> None:
        try:
            Sink(attempt(), [log], check, lambda: Waiting(waits)).put(batch(1))
        except Cancelled as error:
            caught.append(error.message)

    thread = threading.Thread(target=produce)
    thread.start()
    assert waits.wait(20)
    over.set()
    store.wake(JOB)
    thread.join(20)
    assert caught == ["enough"]

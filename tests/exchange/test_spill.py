"""Channels on disk: round trips, order, readers early and late, what is dropped, what there is no room for."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.errors import Cancelled, ResourceExhausted
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.sink import Sink
from flightmesh.exchange.spill import SpillArea
from flightmesh.exchange.store import ExchangeStore
from flightmesh.ids import JobId
from flightmesh.kernel.batches import rows_without_columns
from flightmesh.physical.partitioning import Broadcast, Hash, RoundRobin, Single
from flightmesh.protocol.messages import Retention
from tests.exchange.edges import (
    JOB,
    K,
    attempt,
    batch,
    counting,
    drained,
    kept,
    long_batch,
    plan,
    spilling,
    taken,
)
from tests.random_tables import KINDS, random_column

LONG = 8000
"""Bytes of a long batch."""


def spill_files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and path.name != "owner"]


@pytest.mark.parametrize("kind", [*KINDS, "dictionary", "large", "view", "nothing"])
@pytest.mark.parametrize(("rows", "nulls"), [(0, 0.0), (1, 0.0), (1, 1.0), (700, 0.0), (700, 0.3), (700, 1.0)])
def test_every_type_comes_back_from_disk_as_it_was(tmp_path: Path, kind: str, rows: int, nulls: float) -> None:
    rng = np.random.default_rng(rows)
    odd = {"dictionary": pa.string(), "large": pa.large_string(), "view": pa.string_view(), "nothing": pa.null()}
    if kind in odd:
        texts = random_column(rng, "text", rows, 20, nulls)
        column = pa.nulls(rows) if kind == "nothing" else texts.cast(odd[kind])
    else:
        column = random_column(rng, kind, rows, 20, nulls)
    made = pa.record_batch({"x": column, "y": pa.array(range(rows), pa.int64())}).slice(rows // 3)
    place = SpillArea(tmp_path).channel("c").write([made])[0]
    back = place.read(made.schema)
    back.validate(full=True)
    assert back.schema == made.schema
    assert back.num_rows == made.num_rows
    assert back.column("y").equals(made.column("y"))
    assert repr(back.column("x").to_pylist()) == repr(made.column("x").to_pylist())


def test_rows_without_columns_keep_their_number(tmp_path: Path) -> None:
    made = [rows_without_columns(7), rows_without_columns(0), rows_without_columns(40_000)]
    places = SpillArea(tmp_path).channel("c").write(made)
    assert [place.read(made[0].schema).num_rows for place in places] == [7, 0, 40_000]


def test_batches_of_different_schemas_in_one_file(tmp_path: Path) -> None:
    short = pa.record_batch({"s": pa.array(["a", None])})
    large = pa.record_batch({"s": pa.array(["b"], pa.large_string())})
    made = [short, large, large, short]
    places = SpillArea(tmp_path).channel("c").write(made)
    assert [place.read(one.schema) for place, one in zip(places, made, strict=True)] == made
    assert len(spill_files(tmp_path)) == 1


def test_past_its_memory_a_store_spills_and_readers_get_one_stream(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=3 * LONG)
    log = store.open(JOB, plan(Single()))
    early = log.reader(range(1))
    log.append(attempt(), [(0, long_batch(0))])
    assert taken(early) == counting([0])
    assert spill_files(tmp_path) == []
    for number in range(1, 11):
        log.append(attempt(), [(0, long_batch(1000 * number))])
        assert log.held <= 3 * LONG
    figures = store.figures()
    assert figures.memory + log.spilled == 10 * LONG
    assert figures.memory == store.budget.used <= figures.memory_share
    assert figures.spilled_ever == log.spilled_ever >= log.spilled > 0
    assert figures.spilled == sum(path.stat().st_size for path in spill_files(tmp_path))
    assert figures.files == len(spill_files(tmp_path)) == 1
    assert store.spilled(JOB) == {log.plan.edge.id: log.spilled_ever}
    log.append(attempt(1), [(0, batch(-1))])
    log.seal((attempt(), attempt(1)))
    assert drained(early) == [*counting([1000 * number for number in range(1, 11)]), -1]
    assert early.disk_bytes == log.spilled_ever
    after = store.figures()
    assert (after.memory, after.spilled, after.files, after.channels) == (0, 0, 0, 0)
    assert spill_files(tmp_path) == []


@pytest.mark.parametrize("retention", list(Retention))
def test_a_reader_that_comes_when_all_is_on_disk(tmp_path: Path, retention: Retention) -> None:
    store = spilling(tmp_path, memory=0)
    log = store.open(JOB, kept(RoundRobin(2), retention, consumers=2))
    for number in range(6):
        log.append(attempt(number % 2), [(number % 2, long_batch(1000 * number))])
    log.seal((attempt(0), attempt(1)))
    assert (log.held, store.budget.used) == (0, 0)
    assert drained(log.reader(range(1))) == counting([0, 2000, 4000])
    again = drained(log.reader(range(1)))
    assert again == ([] if retention is Retention.READ else counting([0, 2000, 4000])), "what is kept can be read again"
    log.close(range(1))
    assert drained(log.reader(range(2))) == counting([1000, 3000, 5000])
    store.release(JOB)
    assert spill_files(tmp_path) == []
    assert store.figures().spilled == 0


def test_largest_channels_go_first_and_those_being_read_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flightmesh.exchange.memory.BUSY_SECONDS", 3600.0)
    store = spilling(tmp_path, memory=10 * LONG)
    log = store.open(JOB, plan(RoundRobin(3), consumers=3))
    log.append(
        attempt(), [(0, long_batch(0)), *((1, long_batch(i)) for i in range(3)), *((2, long_batch(i)) for i in range(5))]
    )
    assert log.reader(range(2, 3)).take() is not None
    other = store.open(JobId(8), plan(Single()))
    other.append(attempt(), [(0, long_batch(0, 3000))])
    assert log.spilled == 3 * LONG, "the largest that nobody reads, though one that is read is larger"
    assert [channel.bucket for channel in log.channels_in_memory()] == [0, 2]
    other.append(attempt(), [(0, long_batch(0, 4000))])
    assert [channel.bucket for channel in log.channels_in_memory()] == [2]
    assert log.reader(range(3)).take() is not None
    other.append(attempt(), [(0, long_batch(0, 9000))])
    assert log.channels_in_memory() == [], "before the new rows go to disk themselves"
    assert store.figures().channels == 3


def test_what_fits_nowhere_in_memory_goes_to_disk_by_itself(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=100 * LONG, limit=10 * LONG)
    store.budget.take(JOB, "a build", 10 * LONG)
    log = store.open(JOB, plan(Single()))
    log.append(attempt(), [(0, long_batch(0)), (0, long_batch(1000))])
    log.seal((attempt(),))
    assert (log.held, log.spilled) == (0, 2 * LONG)
    assert drained(log.reader(range(1))) == counting([0, 1000])


def test_channels_make_room_for_what_cannot_be_spilled(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=100 * LONG, limit=20 * LONG)
    log = store.open(JOB, plan(Single()))
    for number in range(16):
        log.append(attempt(), [(0, long_batch(1000 * number))])
    assert log.spilled == 0
    store.budget.take(JOB, "a build", 15 * LONG)
    assert log.held + log.spilled == 16 * LONG
    assert store.budget.used == 15 * LONG + log.held <= 20 * LONG
    with pytest.raises(ResourceExhausted, match=r"out of memory: a build needs 62\.5 KiB more"):
        store.budget.take(JOB, "a build", 8 * LONG)
    assert log.held == 0, "it was tried"
    log.seal((attempt(),))
    assert drained(log.reader(range(1))) == counting(range(0, 16_000, 1000))


def test_closed_buckets_and_losers_leave_the_disk(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=0)
    log = store.open(JOB, plan(RoundRobin(2), consumers=2))
    for number in (0, 1):
        log.append(attempt(0, number), [(0, long_batch(1000 * number)), (1, long_batch(1000 * number))])
    assert len(spill_files(tmp_path)) == 2
    log.close(range(1, 2))
    assert [path.name for path in spill_files(tmp_path)] == ["7-0-0-0"]
    log.append(attempt(0, 1), [(1, long_batch(0))])
    assert log.spilled == 2 * LONG
    log.seal((attempt(0, 1),))
    assert log.spilled == LONG
    log.append(attempt(0, 0), [(0, long_batch(0))])
    assert drained(log.reader(range(2))) == counting([1000])
    assert spill_files(tmp_path) == []


def test_a_half_read_channel_frees_its_files_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flightmesh.exchange.spill_files.FILE_BYTES", 20_000)
    store = spilling(tmp_path, memory=0)
    log = store.open(JOB, plan(Single()))
    rng = np.random.default_rng(0)
    for _ in range(20):
        log.append(attempt(), [(0, pa.record_batch({"c1": rng.integers(0, 2**62, 1000)}))])
    files = store.figures().files
    assert files >= 6
    reader = log.reader(range(1))
    for _ in range(10):
        assert reader.take() is not None
    assert 2 <= store.figures().files <= files - 3
    assert store.figures().spilled == sum(path.stat().st_size for path in spill_files(tmp_path))


def test_past_the_disk_limit_the_error_names_the_figures(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=0, disk=20_000)
    log = store.open(JOB, plan(Single()))
    rng = np.random.default_rng(0)
    noise = pa.record_batch({"c1": rng.integers(0, 2**62, 1000)})
    log.append(attempt(), [(0, noise)])
    log.append(attempt(), [(0, noise)])
    with pytest.raises(ResourceExhausted) as caught:
        log.append(attempt(), [(0, noise)])
    assert "out of disk for exchanged rows: 8.0 KiB more are to be spilled" in caught.value.message
    assert "16.0 KiB of the 19.5 KiB allowed" in caught.value.message
    assert str(tmp_path) in caught.value.message
    assert "exchange.disk" in (caught.value.hint or "")
    assert store.figures().spilled < 20_000
    assert log.reader(range(1)).take() is not None, "what was there before stays readable"
    store.release(JOB)
    other = store.open(JobId(8), plan(Single()))
    other.append(attempt(), [(0, noise)])
    assert store.figures().files == 1


def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = spilling(tmp_path / "file", memory=0)
    with pytest.raises(ResourceExhausted) as caught:
        store.open(JOB, plan(Single())).append(attempt(), [(0, batch(1))])
    assert str(tmp_path / "file") in caught.value.message
    assert "exchange.directory" in (caught.value.hint or "")


def test_a_failed_spill_leaves_the_channel_as_it_was(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=2 * LONG, disk=10)
    log = store.open(JOB, plan(Single()))
    log.append(attempt(), [(0, long_batch(0)), (0, long_batch(1000))])
    for _ in range(2):
        with pytest.raises(ResourceExhausted, match="out of disk"):
            log.append(attempt(), [(0, long_batch(2000))])
    assert (log.held, log.spilled) == (2 * LONG, 0)
    assert taken(log.reader(range(1))) == counting([0, 1000])
    log.append(attempt(), [(0, long_batch(2000))])


def test_without_a_disk_the_memory_budget_is_the_limit() -> None:
    store = ExchangeStore(MemoryBudget(2 * LONG), None, LONG)
    log = store.open(JOB, plan(Single()))
    log.append(attempt(), [(0, long_batch(0)), (0, long_batch(1000))])
    with pytest.raises(ResourceExhausted, match="out of memory"):
        log.append(attempt(), [(0, long_batch(2000))])


def test_a_shut_store_takes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    store = spilling(tmp_path, memory=0)
    log = store.open(JOB, plan(Single()))
    log.append(attempt(), [(0, long_batch(0))])
    store.shut()
    store.shut()
    assert list(tmp_path.iterdir()) == []
    log.append(attempt(), [(0, long_batch(0))])
    with pytest.raises(Cancelled, match="closed"):
        store.open(JobId(8), plan(Single())).append(attempt(), [(0, long_batch(0))])


def test_many_producers_and_readers_of_many_edges_at_once(tmp_path: Path) -> None:
    """Two edges, one read as it grows and one later; a broadcast that three readers read from disk side by side."""
    store = spilling(tmp_path, memory=200_000, limit=1 << 28)
    hashed = store.open(JOB, plan(Hash((K.column(),), 8), 4))
    later = store.open(JobId(8), plan(Hash((K.column(),), 8), 4))
    shared = store.open(JobId(9), kept(Broadcast(), Retention.JOB, 3, 3))
    logs = [hashed, later, shared]
    sent = 30 * 4096
    failed: list[BaseException] = []
    sums: dict[tuple[int, int], list[int]] = {}

    def produce(index: int) -> None:
        try:
            out = Sink(attempt(index), logs, lambda: None, nullcontext)
            for number in range(30):
                out.put(long_batch(index * sent + 4096 * number, 4096))
            out.finish()
        except BaseException as error:
            failed.append(error)

    def consume(number: int, index: int) -> None:
        try:
            buckets = range(1) if logs[number] is shared else logs[number].plan.range_of(index)
            sums[number, index] = drained(logs[number].reader(buckets))
        except BaseException as error:
            failed.append(error)

    def started(threads: list[threading.Thread]) -> list[threading.Thread]:
        for thread in threads:
            thread.start()
        return threads

    early = started([threading.Thread(target=consume, args=(0, i)) for i in range(4)])
    producers = started([threading.Thread(target=produce, args=(i,)) for i in range(4)])
    for thread in producers:
        thread.join(60)
    assert store.figures().memory <= 200_000
    assert later.spilled > 0
    for log in logs:
        log.seal(tuple(attempt(i) for i in range(4)))
    late = started([threading.Thread(target=consume, args=(n, i)) for n, count in ((1, 4), (2, 3)) for i in range(count)])
    for thread in early + late:
        thread.join(60)
    assert failed == []
    whole = list(range(4 * sent))
    for number in (0, 1):
        assert sorted(row for i in range(4) for row in sums[number, i]) == whole
    for i in range(3):
        assert sorted(sums[2, i]) == whole
        for producer in range(4):
            mine = [row for row in sums[2, i] if row // sent == producer]
            assert mine == sorted(mine), "a producer's rows stay in order"
    for log in (hashed, later):
        assert (log.held, log.spilled) == (0, 0)
    store.release(JobId(9))
    figures = store.figures()
    assert (figures.memory, figures.spilled, figures.files, figures.channels) == (0, 0, 0, 0)
    assert store.budget.accounts() == {}
    assert spill_files(tmp_path) == []


def test_closing_while_others_spill_and_read(tmp_path: Path) -> None:
    """Buckets are closed under the feet of producers and readers: nothing is left, nobody fails."""
    store = spilling(tmp_path, memory=50_000)
    log = store.open(JOB, plan(Hash((K.column(),), 8), 4))
    failed: list[BaseException] = []
    going = threading.Event()

    def produce(index: int) -> None:
        try:
            out = Sink(attempt(index), [log], lambda: None, nullcontext)
            for number in range(60):
                out.put(long_batch(4096 * number, 4096))
                going.set()
            out.finish()
        except BaseException as error:
            failed.append(error)

    def read(index: int) -> None:
        try:
            drained(log.reader(log.plan.range_of(index)))
        except BaseException as error:
            failed.append(error)

    producers = [threading.Thread(target=produce, args=(i,)) for i in range(3)]
    readers = [threading.Thread(target=read, args=(i,)) for i in range(4)]
    for thread in producers + readers:
        thread.start()
    assert going.wait(30)
    for bucket in range(8):
        log.close(range(bucket, bucket + 1))
    for thread in producers:
        thread.join(60)
    log.seal(tuple(attempt(i) for i in range(3)))
    for thread in readers:
        thread.join(60)
    assert failed == []
    assert (log.held, log.spilled) == (0, 0)
    assert store.figures().memory == store.figures().spilled == 0
    assert spill_files(tmp_path) == []

"""A stream on its way to a reader: in order, whole, within its window; whatever a peer sends, an error is typed."""

from __future__ import annotations

import random
import threading

import numpy as np
import pyarrow as pa
import pytest

from flightmesh.errors import InvalidMessage, StreamBroken
from flightmesh.ids import AttemptId, EdgeId, JobId, StageId, TaskId, WorkerId
from flightmesh.protocol.frames import EntryKind, Frame, pack_end, pack_frame, read_end
from flightmesh.runtime.feed import Feed, Origin, Room
from tests.runtime.twin import until

BATCH = pa.record_batch({"c1": np.arange(1000)})


def producer(index: int = 0) -> AttemptId:
    return AttemptId(TaskId(JobId(1), StageId(0), index), 0)


def framed(sequence: int, index: int = 0) -> bytes:
    return pack_frame(Frame(EntryKind.DATA, producer(index), sequence))


def feed(window: int = 1 << 20, only: int | None = None, room: Room | None = None) -> Feed:
    return Feed(Origin(EdgeId(3), WorkerId("w1-beef"), only), window, room or Room(1 << 30))


def test_entries_come_in_order_and_end() -> None:
    found = feed()
    rings: list[int] = []
    found.on_news(lambda: rings.append(1))
    for sequence in range(3):
        assert found.put(BATCH, framed(sequence, sequence))
    assert not found.ended
    found.put(None, pack_end(3, 17))
    assert found.is_complete and not found.ended
    assert [found.take().producer.task.index for _ in range(3)] == [0, 1, 2]  # type: ignore[union-attr]
    assert found.take() is None
    assert found.ended and found.held == 0 and found.waited_ns == 17
    assert len(rings) == 5


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (framed(2), "entry 2 where 1 was expected"),
        (framed(0), "entry 0 where 1 was expected"),
        (framed(1, 5), "rows of task 1.0.5"),
        (pack_end(0), "entry 0 where 1 was expected"),
        (pack_end(2), "entry 2 where 1 was expected"),
        (b"", "0 bytes do not make a frame"),
        (framed(1) + bytes(8), "only the end"),
        (bytes([9]) + framed(1)[1:], "do not make a frame"),
    ],
)
def test_a_wrong_frame_is_refused(metadata: bytes, words: str) -> None:
    found = feed(only=0)
    found.put(BATCH, framed(0))
    with pytest.raises(InvalidMessage, match=words):
        found.put(BATCH, metadata)


def test_nothing_comes_after_the_end_and_no_entry_without_rows() -> None:
    found = feed()
    with pytest.raises(InvalidMessage, match="without rows"):
        found.put(None, framed(0))
    found.put(None, pack_end(0))
    with pytest.raises(InvalidMessage, match="went on after its end"):
        found.put(BATCH, framed(0))


def test_a_full_window_holds_the_stream_back_until_something_is_taken() -> None:
    found = feed(window=BATCH.nbytes)
    found.put(BATCH, framed(0))
    putting = threading.Thread(target=lambda: found.put(BATCH, framed(1)))
    putting.start()
    putting.join(0.2)
    assert putting.is_alive()
    assert found.take() is not None
    putting.join(5)
    assert not putting.is_alive()
    assert found.waited_ns > 10_000_000


def test_feeds_share_their_workers_room_and_each_has_one_entry() -> None:
    room = Room(2 * BATCH.nbytes)
    first, second = feed(room=room), feed(room=room)
    first.put(BATCH, framed(0))
    first.put(BATCH, framed(1))
    second.put(BATCH, framed(0))  # past the limit, but nobody waits for ever
    putting = threading.Thread(target=lambda: second.put(BATCH, framed(1)))
    putting.start()
    putting.join(0.2)
    assert putting.is_alive() and room.used == 3 * BATCH.nbytes
    first.close()
    putting.join(5)
    assert not putting.is_alive()
    second.close()
    assert room.used == 0


@pytest.mark.parametrize("how", ["closed", "caller gone", "failed"])
def test_who_waits_for_room_is_let_go(how: str) -> None:
    found = feed(window=1)
    gone = threading.Event()
    found.put(BATCH, framed(0))
    wanted: list[bool] = []
    putting = threading.Thread(target=lambda: wanted.append(found.put(BATCH, framed(1), gone.is_set)))
    putting.start()
    match how:
        case "closed":
            found.close()
        case "caller gone":
            gone.set()
        case "failed":
            found.fail(StreamBroken("it broke"))
    putting.join(5)
    assert wanted == [how != "closed"]


def test_what_is_taken_is_acknowledged_and_closing_says_so() -> None:
    found = feed()
    said: list[int | None] = []
    stopped: list[int] = []
    found.on_taken(said.append)
    found.on_close(lambda: stopped.append(1))
    for sequence in range(3):
        found.put(BATCH, framed(sequence))
    found.take()
    found.take()
    found.close()
    found.close()
    assert said == [1, 2, None]
    assert stopped == [1]
    assert found.take() is None and found.held == 0
    assert not found.put(BATCH, framed(3))
    found.on_close(lambda: stopped.append(2))
    assert stopped == [1, 2], "who comes late is told at once"


def test_a_failure_reaches_the_reader_unless_all_is_there() -> None:
    found = feed()
    found.put(BATCH, framed(0))
    found.fail(StreamBroken("it broke"))
    found.fail(StreamBroken("it broke again"))
    with pytest.raises(StreamBroken, match=r"it broke$"):
        found.take()
    whole = feed()
    whole.put(None, pack_end(0))
    whole.fail(StreamBroken("too late"))
    assert whole.take() is None and whole.ended


def test_ends_cross_with_their_wait() -> None:
    assert read_end(pack_end(7, 5)) == (Frame(EntryKind.END, AttemptId(TaskId(JobId(0), StageId(0), 0), 0), 7), 5)
    assert read_end(framed(4)) == (Frame(EntryKind.DATA, producer(), 4), 0)


def test_any_bytes_are_refused_with_a_typed_error() -> None:
    random.seed(3)
    for _ in range(5000):
        data = random.randbytes(random.choice([0, 1, 28, 29, 29, 29, 30, 36, 37, 37, 37, 38, 100]))
        found = feed()
        try:
            found.put(BATCH, data)
        except InvalidMessage:
            continue
        assert read_end(data)[0].sequence == 0


def test_many_entries_by_two_threads_are_all_there() -> None:
    found = feed(window=3 * BATCH.nbytes)
    got: list[int] = []

    def take() -> None:
        until(lambda: _drain(found, got) or found.ended)
        _drain(found, got)

    taking = threading.Thread(target=take)
    taking.start()
    for sequence in range(500):
        found.put(BATCH, framed(sequence, sequence))
    found.put(None, pack_end(500))
    taking.join(10)
    assert got == list(range(500))


def _drain(found: Feed, got: list[int]) -> bool:
    while (entry := found.take()) is not None:
        got.append(entry.producer.task.index)
    return False

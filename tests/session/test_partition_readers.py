"""Partitions read side by side: in order or as they come, bounded, ended by the first error and by close."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pyarrow as pa
import pytest

from flightmesh.errors import FlightmeshError, InternalError, StreamBroken
from flightmesh.protocol.frames import EVERYBODY, EntryKind, Frame, pack_frame
from flightmesh.session import partition_readers
from flightmesh.session.partition_readers import READERS, Nothing, Order, PartitionReaders
from tests.waiting import wait_until

SCHEMA = pa.schema([("x", pa.int64())])
END = pack_frame(Frame(EntryKind.END, EVERYBODY, 0))


def batch(*values: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"x": list(values)}, SCHEMA)


class Scripted:
    """A stream that gives what it is told to: a batch, an END, None for the end of the stream, an error."""

    schema = SCHEMA

    def __init__(self) -> None:
        self.told: queue.SimpleQueue[pa.RecordBatch | bytes | Exception | None] = queue.SimpleQueue()
        self.taken = 0
        self.is_open = False
        self.is_cancelled = False

    def opened(self) -> Scripted:
        self.is_open = True
        return self

    def tell(self, *things: pa.RecordBatch | bytes | Exception | None) -> Scripted:
        for thing in things:
            self.told.put(thing)
        return self

    def next(self) -> tuple[pa.RecordBatch, bytes] | None:
        thing = self.told.get()
        self.taken += 1
        if isinstance(thing, Exception):
            raise thing
        if isinstance(thing, bytes):
            return batch(), thing
        return None if thing is None else (thing, b"")

    def cancel(self) -> None:
        self.is_cancelled = True
        self.tell(StreamBroken("cancelled"))


def reading(streams: list[Scripted], order: Order) -> PartitionReaders:
    opens: list[Callable[[], Scripted]] = [stream.opened for stream in streams]
    return PartitionReaders(opens, order)


def next_values(readers: PartitionReaders) -> list[int]:
    got = readers.next(10)
    assert isinstance(got, pa.RecordBatch)
    found: list[int] = got["x"].to_pylist()
    return found


def values(readers: PartitionReaders) -> list[int]:
    found: list[int] = []
    while isinstance(got := readers.next(10), pa.RecordBatch):
        found.extend(got["x"].to_pylist())
    assert got is Nothing.MORE
    return found


def test_in_order_although_later_partitions_come_first() -> None:
    first, second, third = streams = [Scripted() for _ in range(3)]
    readers = reading(streams, Order.STRICT)
    third.tell(batch(5), batch(6), None)
    second.tell(None)
    assert readers.next(0.05) is Nothing.YET
    first.tell(batch(1), batch(2, 3), None)
    assert values(readers) == [1, 2, 3, 5, 6]
    readers.close()


def test_in_order_past_a_stream_that_has_no_more_rows_and_is_not_ended() -> None:
    """A stream ends when the whole job has succeeded; the next partition is not to wait for that."""
    first, second = streams = [Scripted(), Scripted()]
    readers = reading(streams, Order.STRICT)
    first.tell(batch(1), END)
    second.tell(batch(2), END)
    assert [next_values(readers) for _ in range(2)] == [[1], [2]]
    assert readers.next(0.05) is Nothing.YET, "it is whole only when every stream has ended"
    first.tell(None)
    second.tell(None)
    assert readers.next(10) is Nothing.MORE
    readers.close()


def test_as_they_come() -> None:
    slow, fast = streams = [Scripted(), Scripted()]
    readers = reading(streams, Order.FREE)
    fast.tell(batch(1), batch(2), None)
    assert [next_values(readers) for _ in range(2)] == [[1], [2]]
    slow.tell(batch(3), None)
    assert values(readers) == [3]
    readers.close()


@pytest.mark.parametrize("order", Order)
def test_more_partitions_than_readers(order: Order) -> None:
    streams = [Scripted().tell(batch(number), None) for number in range(3 * READERS)]
    readers = reading(streams, order)
    assert sorted(values(readers)) == list(range(3 * READERS))
    readers.close()


def test_nothing_at_all() -> None:
    readers = reading([], Order.FREE)
    assert values(readers) == []
    readers.close()


def test_a_partition_is_read_only_so_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_readers, "AHEAD_BYTES", 16)
    stream = Scripted().tell(*[batch(number, number) for number in range(20)], None)
    readers = reading([stream], Order.FREE)
    wait_until(lambda: stream.taken == 2)
    assert isinstance(readers.next(10), pa.RecordBatch)
    wait_until(lambda: stream.taken == 3)
    assert len(values(readers)) == 38
    readers.close()


def test_the_first_error_is_raised_though_batches_wait() -> None:
    good, bad = streams = [Scripted(), Scripted()]
    good.tell(batch(1))
    readers = reading(streams, Order.FREE)
    bad.tell(StreamBroken("gone"))
    with pytest.raises(StreamBroken, match="gone"):
        while True:
            readers.next(10)
    readers.close()
    assert good.is_cancelled


def test_a_bug_in_reading_is_an_internal_error() -> None:
    readers = reading([Scripted().tell(KeyError("k"))], Order.FREE)
    with pytest.raises(InternalError, match="KeyError"):
        readers.next(10)
    readers.close()


def test_failing_from_outside_wakes_who_waits() -> None:
    readers = reading([Scripted()], Order.STRICT)
    raised: list[FlightmeshError] = []

    def wait() -> None:
        with pytest.raises(StreamBroken) as caught:
            readers.next(30)
        raised.append(caught.value)

    waiter = threading.Thread(target=wait)
    waiter.start()
    readers.fail(StreamBroken("enough"))
    waiter.join(10)
    assert [error.message for error in raised] == ["enough"]
    readers.close()


def test_closing_cancels_streams_and_ends_threads() -> None:
    before = set(threading.enumerate())
    streams = [Scripted() for _ in range(3)]
    readers = reading(streams, Order.FREE)
    wait_until(lambda: all(stream.is_open for stream in streams))
    readers.close()
    readers.close()
    assert all(stream.is_cancelled for stream in streams)
    assert set(threading.enumerate()) == before

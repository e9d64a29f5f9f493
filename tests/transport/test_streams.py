"""Streams in and out: rows with their metadata, cancelling from either end, ends that are no ends."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from flightmesh.errors import Cancelled, DataError, FlightmeshError, InternalError, StreamBroken, WorkerLost
from flightmesh.transport.flight_client import ClientConnection
from flightmesh.transport.peers import StreamIn
from flightmesh.transport.service import Asked, Call, InStream, OutStream
from tests.transport.serving import NUMBERS, Pushed, Told, calling, rows, served
from tests.waiting import again_if_slow, assert_within, wait_until


class Source:
    """Gives one pushed stream to every ticket and counts how often it was closed."""

    def __init__(self) -> None:
        self.pushed = Pushed()
        self.closed = 0

    def get(self, ticket: bytes, call: Call) -> OutStream:
        return OutStream(NUMBERS, self.pushed.read(call), self.close)

    def close(self) -> None:
        self.closed += 1


class Sink:
    """Takes everything put to it and acknowledges with the metadata; keeps how it ended."""

    def __init__(self, after: Callable[[pa.RecordBatch], None] = lambda batch: None) -> None:
        self.got: list[tuple[list[int], bytes]] = []
        self.addresses: list[int] = []
        self.ended: list[BaseException | None] = []
        self._after = after

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        try:
            for batch, metadata in stream.batches:
                assert batch is not None
                self.got.append((batch.column(0).to_pylist(), metadata))
                self.addresses += [b.address for b in batch.column(0).buffers() if b is not None]
                self._after(batch)
                stream.acknowledge(metadata)
        except BaseException as error:
            self.ended.append(error)
            raise
        self.ended.append(None)


def taken(stream: StreamIn) -> list[tuple[list[int], bytes]]:
    return [(batch.column(0).to_pylist(), metadata) for batch, metadata in iter(stream.next, None)]


def test_rows_and_their_metadata_in_order() -> None:
    source = Source()
    for n in range(5):
        source.pushed.push(rows(n, 3 * (n % 2)), b"%d" % n if n != 3 else b"")
    source.pushed.seal()
    with served(Told(gets=source.get)) as node, calling() as peers:
        stream = peers.get(node.uri, b"t")
        assert stream.schema == NUMBERS
        assert taken(stream) == [([], b"0"), ([1, 2, 3], b"1"), ([], b"2"), ([3, 4, 5], b""), ([], b"4")]
        assert stream.next() is None
        wait_until(lambda: node.streams == 0)
        assert source.closed == 1
        assert node.bytes_out == 48


def test_a_batch_arrives_before_the_next_one_is_made() -> None:
    source = Source()
    with served(Told(gets=source.get)) as node, calling() as peers:
        stream = peers.get(node.uri, b"t")
        for n in range(3):
            source.pushed.push(rows(n), b"m")
            assert stream.next() is not None
        source.pushed.seal()
        assert stream.next() is None


def test_what_comes_in_lies_aligned() -> None:
    source, sink = Source(), Sink()
    for n in range(20):
        source.pushed.push(rows(0, 1 + n), b"m" * n)
    source.pushed.seal()
    with served(Told(gets=source.get, puts=sink.put)) as node, calling() as peers:
        out = peers.put(node.uri, b"c", NUMBERS)
        for batch, metadata in iter(peers.get(node.uri, b"t").next, None):
            assert all(b.address % 8 == 0 for b in batch.column(0).buffers() if b is not None)
            out.write(batch, metadata)
        out.finish()
    assert [len(numbers) for numbers, _ in sink.got] == list(range(1, 21))
    assert all(address % 8 == 0 for address in sink.addresses)


@pytest.mark.parametrize("opened", [True, False], ids=["reading", "opening"])
@again_if_slow
def test_cancel_wakes_the_reader_and_ends_the_sender(opened: bool) -> None:
    source = Source()
    gate = threading.Event()

    def get(ticket: bytes, call: Call) -> OutStream:
        assert opened or gate.wait(20)
        return source.get(ticket, call)

    with served(Told(gets=get)) as node, calling() as peers, ThreadPoolExecutor(1) as pool:
        stream = peers.get(node.uri, b"t")
        if opened:
            assert stream.schema == NUMBERS
        reading = pool.submit(stream.next)
        began = time.monotonic()
        stream.cancel()
        with pytest.raises(Cancelled):
            reading.result(5)
        assert_within(1, began, "waking the reader")
        gate.set()
        wait_until(lambda: source.closed == 1 and node.streams == 0, 5)
        assert_within(1 if opened else 5, began, "ending the sender")
        with pytest.raises(Cancelled):
            stream.next()


@pytest.mark.parametrize("read", [0, 1])
def test_a_plain_client_that_drops_its_stream(read: int) -> None:
    source = Source()
    source.pushed.push(rows(1), b"m")
    with served(Told(gets=source.get)) as node:
        client = flight.connect(node.uri)
        reader = client.do_get(flight.Ticket(b"t"))
        for _ in range(read):
            reader.read_chunk()
        reader.cancel()
        del reader
        gc.collect()
        wait_until(lambda: source.closed == 1 and node.streams == 0, 5)
        client.close()


def test_streams_are_closed_once_however_many_there_are() -> None:
    source = Source()
    with served(Told(gets=source.get)) as node, calling() as peers:
        streams = [peers.get(node.uri, b"t") for _ in range(40)]
        assert [stream.schema for stream in streams] == [NUMBERS] * 40
        assert node.streams == 40
        for stream in streams[::2]:
            stream.cancel()
        source.pushed.seal()
        assert [stream.next() for stream in streams[1::2]] == [None] * 20
        wait_until(lambda: node.streams == 0, 5)
        assert source.closed == 40


@pytest.mark.parametrize("error", [WorkerLost("w1 was lost"), DataError("1/0")], ids=lambda error: error.code)
def test_an_error_in_the_middle_of_a_stream(error: FlightmeshError) -> None:
    closed: list[int] = []

    def failing() -> Iterator[tuple[pa.RecordBatch, bytes]]:
        yield rows(1), b""
        raise error

    with (
        served(Told(gets=lambda ticket, call: OutStream(NUMBERS, failing(), lambda: closed.append(1)))) as node,
        calling() as peers,
    ):
        stream = peers.get(node.uri, b"t")
        assert stream.next() is not None
        with pytest.raises(type(error), match=error.message.replace("/", ".")):
            stream.next()
        wait_until(lambda: node.streams == 0, 5)
    assert closed == [1]


def test_dictionaries_are_refused_by_name() -> None:
    schema = pa.schema([("d", pa.dictionary(pa.int8(), pa.string()))])
    closed: list[int] = []
    with (
        served(Told(gets=lambda ticket, call: OutStream(schema, iter([]), lambda: closed.append(1)))) as node,
        calling() as peers,
        pytest.raises(InternalError, match="dictionary columns"),
    ):
        peers.get(node.uri, b"t").next()
    assert closed == [1]


@again_if_slow
def test_closing_a_node_ends_streams_that_wait_but_never_cleanly() -> None:
    source, sink = Source(), Sink()
    with served(Told(gets=source.get, puts=sink.put)) as node, calling() as peers:
        streams = [peers.get(node.uri, b"t") for _ in range(8)]
        assert all(stream.schema == NUMBERS for stream in streams)
        began = time.monotonic()
        node.close(5)
        assert_within(2, began, "closing")
        for stream in streams:
            with pytest.raises(StreamBroken, match="closing"):
                stream.next()
    assert source.closed == 8


@again_if_slow
def test_closing_a_node_that_is_stuck_takes_no_longer_than_it_may() -> None:
    """A put whose sender says nothing cannot be ended by the server; nor can a service that does not look up."""
    sink = Sink()
    with served(Told(puts=sink.put)) as node, calling() as peers:
        idle = peers.put(node.uri, b"c", NUMBERS)
        idle.write(rows(1), b"a")
        assert idle.acknowledged() == b"a"
        began = time.monotonic()
        node.close(1)
        idle.cancel()
        assert_within(3, began, "closing")


def test_a_put_is_acknowledged_batch_by_batch() -> None:
    sink = Sink()
    with served(Told(puts=sink.put)) as node, calling() as peers:
        out = peers.put(node.uri, b"c", NUMBERS)
        for n in range(10):
            out.write(rows(n), b"%d" % n)
            assert out.acknowledged() == b"%d" % n
        out.finish()
        assert out.acknowledged() is None
        assert sink.got == [([n], b"%d" % n) for n in range(10)]
        assert sink.ended == [None]
        assert node.bytes_in == 80


def test_a_put_that_is_given_up_is_no_whole_one() -> None:
    sink = Sink()
    with served(Told(puts=sink.put)) as node, calling() as peers, ThreadPoolExecutor(1) as pool:
        out = peers.put(node.uri, b"c", NUMBERS)
        out.write(rows(1), b"a")
        assert out.acknowledged() == b"a"
        waiting = pool.submit(out.acknowledged)
        out.cancel()
        with pytest.raises(Cancelled):
            waiting.result(1)
        for call in (out.finish, lambda: out.write(rows(2), b"b")):
            with pytest.raises(Cancelled):
                call()
        wait_until(lambda: sink.ended, 5)
        assert isinstance(sink.ended[0], Cancelled)
        wait_until(lambda: node.streams == 0, 5)


def test_a_receiver_that_fails_tells_the_sender() -> None:
    def refuse(batch: pa.RecordBatch) -> None:
        if batch.column(0)[0].as_py() == 2:
            raise DataError("two is too much")

    sink = Sink(refuse)
    with served(Told(puts=sink.put)) as node, calling() as peers:
        out = peers.put(node.uri, b"c", NUMBERS)
        out.write(rows(1), b"a")
        assert out.acknowledged() == b"a"
        out.write(rows(2), b"b")
        for _ in range(2):
            with pytest.raises(DataError, match="two is too much"):
                out.acknowledged()
        with pytest.raises(DataError):
            out.write(rows(3), b"c")
        with pytest.raises(DataError):
            out.finish()


def test_a_receiver_that_has_enough() -> None:
    def first_only(asked: Asked, stream: InStream, call: Call) -> None:
        next(iter(stream.batches))
        stream.acknowledge(b"enough")

    with served(Told(puts=first_only)) as node, calling() as peers:
        out = peers.put(node.uri, b"c", NUMBERS)
        out.write(rows(1), b"a")
        assert out.acknowledged() == b"enough"
        assert out.acknowledged() is None
        with pytest.raises(StreamBroken, match="takes no more"):
            out.write(rows(2), b"b")
        wait_until(lambda: node.streams == 0, 5)


def test_closed_connections_leave_no_socket() -> None:
    """Also while somebody still holds a stream that has ended or was cancelled."""
    source, sink = Source(), Sink()

    def sockets(uri: str) -> int:
        found = psutil.Process().net_connections("tcp")
        return sum(one.status == "ESTABLISHED" and one.laddr.port == int(uri.rpartition(":")[2]) for one in found)

    with served(Told(acts={"echo": lambda body, call: [body]}, gets=source.get, puts=sink.put)) as node:
        client = ClientConnection(node.uri)
        assert client.action("echo", b"x") == [b"x"]
        cancelled, ended, put = client.get(None, b"t"), client.get(None, b"t"), client.put(Asked(command=b"c"), NUMBERS)
        assert cancelled.schema == NUMBERS
        cancelled.cancel()
        source.pushed.seal()
        assert ended.next() is None
        put.finish()
        assert sockets(node.uri) == 2
        client.close()
        wait_until(lambda: sockets(node.uri) == 0, 5)
        assert ended.next() is None

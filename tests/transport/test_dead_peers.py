"""Peers in other processes that are killed or stopped: who waits for them is told, or can be woken."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from flightmesh.errors import Cancelled, NodeRefused, NodeUnavailable, StreamBroken
from flightmesh.transport.flight_peers import FlightPeers
from flightmesh.transport.peers import StreamOut
from flightmesh.transport.service import Call, OutStream
from tests.transport.node_process import NodeProcess, started
from tests.transport.serving import NUMBERS, Told, calling, rows, served
from tests.transport.test_streams import Sink, Source
from tests.waiting import wait_until


def pump(out: StreamOut, written: list[int]) -> None:
    for n in range(1000):
        out.write(rows(0, 1 << 17), b"m")
        written.append(n)


def wait_still(figures: list[int]) -> None:
    """Until a list that somebody appends to has stood still for half a second."""
    seen = [-1]
    wait_until(lambda: seen.append(len(figures)) or (len(seen) > 50 and len(set(seen[-50:])) == 1), 30)


def test_a_killed_peer_breaks_its_streams_and_refuses_calls() -> None:
    with started() as peer, calling() as peers, ThreadPoolExecutor(2) as pool:
        assert peers.call(peer.uri, "echo", b"x", 20) == [b"x"]
        idle = peers.put(peer.uri, b"c", NUMBERS)
        idle.write(rows(1), b"a")
        assert idle.acknowledged() == b"a"
        reading = peers.get(peer.uri, b"-1")
        assert reading.next() is not None
        waiting = pool.submit(idle.acknowledged)
        peer.kill()
        began = time.monotonic()
        with pytest.raises(StreamBroken, match="broke before its end"):
            while reading.next() is not None:
                pass
        with pytest.raises(StreamBroken):
            waiting.result(5)
        with pytest.raises(NodeUnavailable):
            peers.call(peer.uri, "echo", b"x", 5)
        with pytest.raises(NodeRefused):
            peers.call(peer.uri, "echo", b"x", 5)
        assert time.monotonic() - began < 5


def threads_of(peer: NodeProcess) -> list[str]:
    """What streams with a peer have running here."""
    return [thread.name for thread in threading.enumerate() if thread.name.endswith(peer.uri)]


def _read(peers: FlightPeers, peer: NodeProcess) -> Callable[[], object]:
    stream = peers.get(peer.uri, b"-1")
    return lambda: (stream.cancel(), stream.next())


def _finish(peers: FlightPeers, peer: NodeProcess) -> Callable[[], object]:
    out = peers.put(peer.uri, b"c", NUMBERS)
    return lambda: (out.cancel(), out.finish())


@pytest.mark.parametrize("begin", [_read, _finish], ids=["get", "put"])
def test_streams_with_a_stopped_peer_can_be_opened_and_given_up(
    begin: Callable[[FlightPeers, NodeProcess], Callable[[], object]],
) -> None:
    with started() as peer, calling() as peers:
        assert peers.call(peer.uri, "echo", b"x", 20) == [b"x"]
        peer.stop()
        began = time.monotonic()
        give_up = begin(peers, peer)
        with pytest.raises(NodeUnavailable, match="did not answer in time"):
            peers.call(peer.uri, "echo", b"x", 0.3)
        with pytest.raises(Cancelled):
            give_up()
        assert time.monotonic() - began < 5
        peer.kill()
        wait_until(lambda: not threads_of(peer), 5)


def test_writers_that_a_stopped_peer_holds_up_are_woken() -> None:
    with started() as peer, calling() as peers, ThreadPoolExecutor(3) as pool:
        out, stream = peers.put(peer.uri, b"c", NUMBERS), peers.get(peer.uri, b"-1")
        out.write(rows(1), b"a")
        assert out.acknowledged() == b"a"
        assert stream.next() is not None
        peer.stop()
        written: list[int] = []
        writing = pool.submit(pump, out, written)
        answers = pool.submit(out.acknowledged)
        reading = pool.submit(lambda: [stream.next() for _ in range(1000)])
        wait_still(written)
        began = time.monotonic()
        out.cancel()
        stream.cancel()
        for call in (writing, answers, reading):
            with pytest.raises(Cancelled):
                call.result(5)
        assert time.monotonic() - began < 5
        peer.kill()
        wait_until(lambda: not threads_of(peer), 5)


def test_a_put_whose_sender_is_killed_is_no_whole_one() -> None:
    """Flight shows it as one that ended; what had come must not pass for a table."""
    sink = Sink()
    with served(Told(puts=sink.put)) as node, started("put", node.uri) as sender:
        assert sender.uri == "putting"
        sender.kill()
        wait_until(lambda: sink.ended, 5)
        assert isinstance(sink.ended[0], StreamBroken)
        assert len(sink.got) == 1


def test_readers_that_are_killed_end_their_streams() -> None:
    source = Source()
    batch = rows(0, 1 << 17)

    def endless(ticket: bytes, call: Call) -> OutStream:
        return OutStream(NUMBERS, ((batch, b"m") for _ in iter(call.is_cancelled, True)), source.close)

    with served(Told(gets=endless)) as node, started("read", node.uri, "4") as reader:
        assert reader.uri == "reading"
        assert node.streams == 4
        reader.kill()
        wait_until(lambda: node.streams == 0 and source.closed == 4, 5)

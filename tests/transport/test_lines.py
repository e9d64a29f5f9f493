"""Lines over Flight: bodies in order, answers to those that want one, and every way in which one ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow.flight as flight
import pytest

from flightmesh.errors import Fenced, FlightmeshError, NodeUnavailable
from flightmesh.ids import JobId, WorkerId
from flightmesh.protocol.messages import FailResult, JobReleased, ReleaseJob
from flightmesh.transport import flight_peers, flight_server
from flightmesh.transport.control import (
    heard,
    orders_dial,
    orders_sender,
    read_orders,
    read_reports,
    reports_dial,
    reports_sender,
)
from flightmesh.transport.flight_lines import LINE_BYTES, FlightLine
from flightmesh.transport.flight_peers import FlightPeers
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.inbox import Inbox
from flightmesh.transport.outbox import Outbox
from flightmesh.transport.security import ClientTls, OpenDoor, Security, ServerTls
from flightmesh.transport.service import Call
from flightmesh.trust.authority import new_authority
from tests.transport.node_process import started
from tests.transport.serving import Told, calling
from tests.waiting import wait_until

WORKER = WorkerId("w-1")


class Log:
    """A service that keeps bodies and answers each with its number; ends a line whose body is `no`."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def act(self, body: bytes, call: Call) -> Iterable[bytes]:
        if body == b"no":
            raise Fenced("no more of you")
        self.bodies.append(body)
        return [str(len(self.bodies)).encode()]


class Ear:
    """The calling end: what was answered, and whether the line has ended."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.ended = threading.Event()

    def open(self, peers: FlightPeers, uri: str, action: str = "log") -> FlightLine:
        return peers.line(uri, action, b"hello", self.answers.append, self.ended.set)


@contextmanager
def listening(log: Log, security: Security | None = None, at: str = "grpc://127.0.0.1:0") -> Iterator[FlightNode]:
    node = FlightNode(Told(acts={"log": log.act, "other": log.act}), at, "lines", security, lines=("log",))
    node.start()
    try:
        yield node
    finally:
        node.close(5)


def line_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("line-")]


def test_bodies_come_in_order_and_those_that_want_one_are_answered() -> None:
    log, ear = Log(), Ear()
    with listening(log) as node, calling() as peers:
        line = ear.open(peers, node.uri)
        wait_until(lambda: ear.answers == [b"1"], what="the answer to the first body")
        for number in range(200):
            assert line.write(str(number).encode(), wants_answer=number % 50 == 49)
        wait_until(lambda: len(ear.answers) == 5)
        assert ear.answers == [b"1", b"51", b"101", b"151", b"201"]
        assert log.bodies == [b"hello", *(str(number).encode() for number in range(200))]
        assert line.write(b"x" * LINE_BYTES, wants_answer=True)
        assert not line.write(b"x" * (LINE_BYTES + 1), wants_answer=True)
        wait_until(lambda: len(ear.answers) == 6)
        line.cancel()
        assert ear.ended.wait(20)
        assert not line.write(b"late", wants_answer=False)
    wait_until(lambda: not line_threads())


@pytest.mark.parametrize("command", [b"flightmesh-action other", b"flightmesh-action none", b"SELECT 1"])
def test_what_is_not_offered_along_a_line_is_refused(command: bytes) -> None:
    log = Log()
    with listening(log) as node, flight.connect(node.uri) as client:
        writer, reader = client.do_exchange(flight.FlightDescriptor.for_command(command))
        with pytest.raises(flight.FlightError, match="DoExchange is not offered"):
            writer.write_metadata(b"\1hello")  # may find that the call has ended
            reader.read_chunk()
        assert log.bodies == []


def test_a_refused_body_ends_the_line() -> None:
    log, ear = Log(), Ear()
    with listening(log) as node, calling() as peers:
        line = ear.open(peers, node.uri)
        wait_until(lambda: ear.answers)
        assert line.write(b"no", wants_answer=False)
        assert ear.ended.wait(20)
        assert log.bodies == [b"hello"]


def test_where_lines_are_not_offered_or_nobody_is_they_end_unopened() -> None:
    with calling() as peers:
        node = FlightNode(Told(acts={"log": Log().act}), name="deaf")
        node.start()
        without, nobody = Ear(), Ear()
        without.open(peers, node.uri)
        assert without.ended.wait(20)
        node.close(2)
        nobody.open(peers, node.uri)
        assert nobody.ended.wait(20)
        assert (without.answers, nobody.answers) == ([], [])


def test_a_node_that_closes_has_its_callers_hang_up() -> None:
    log, ear = Log(), Ear()
    abandoned = len(flight_server._ABANDONED)
    with calling() as peers:
        with listening(log) as node:
            ear.open(peers, node.uri)
            wait_until(lambda: ear.answers)
        assert ear.ended.wait(20)
    assert len(flight_server._ABANDONED) == abandoned, "the listener did not wait for the line"


def test_a_new_certificate_at_either_end_ends_lines() -> None:
    identity = new_authority("home").identity_of_driver("driver-1", ["127.0.0.1"], 1)
    tls = ServerTls(identity.certificate, identity.key)
    log = Log()
    with listening(log, Security(tls, OpenDoor()), "grpc+tls://127.0.0.1:0") as node:
        peers = FlightPeers(trust=lambda address: ClientTls(identity.roots))
        first, second = Ear(), Ear()
        first.open(peers, node.uri)
        wait_until(lambda: first.answers)
        node.renew(tls)
        assert first.ended.wait(20)

        def again() -> bool:
            if second.answers:
                return True
            if second.ended.is_set():  # it met the renewal
                second.ended.clear()
                second.open(peers, node.uri)
            return False

        second.open(peers, node.uri)
        wait_until(again)
        line = second.open(peers, node.uri)
        wait_until(lambda: len(second.answers) == 2)
        peers.renew()
        assert second.ended.wait(20)
        assert not line.write(b"late", wants_answer=False)
        peers.close()


def test_a_line_to_a_killed_peer_ends() -> None:
    ear = Ear()
    with started() as peer, calling() as peers:
        ear.open(peers, peer.uri, "echo")
        wait_until(lambda: ear.answers, what="the line")
        peer.kill()
        assert ear.ended.wait(20)


def test_a_line_to_a_stopped_peer_can_be_given_up() -> None:
    open_one, unopened = Ear(), Ear()
    with started() as peer, calling() as peers:
        line = open_one.open(peers, peer.uri, "echo")
        wait_until(lambda: open_one.answers, what="the line")
        peer.stop()
        other = unopened.open(peers, peer.uri, "echo")
        writing = threading.Thread(target=lambda: all(line.write(b"x" * LINE_BYTES, False) for _ in range(100)))
        writing.start()
        line.cancel()
        other.cancel()
        peer.kill()  # until then gRPC may not let go of what was being written
        assert open_one.ended.wait(20)
        assert unopened.ended.wait(20)
        writing.join(20)
        assert not writing.is_alive()


def test_what_is_being_written_to_a_stopped_peer_ends_with_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line's writer is freed without anybody cancelling, and a call that is larger than what sockets hold, too."""
    monkeypatch.setattr(flight_peers, "UNSENT_MS", 1000)
    ear = Ear()
    with started() as peer, calling() as peers:
        line = ear.open(peers, peer.uri, "echo")
        wait_until(lambda: ear.answers, what="the line")
        peer.stop()
        written: list[bool] = []
        writing = threading.Thread(target=lambda: written.extend(line.write(b"x" * LINE_BYTES, False) for _ in range(20)))
        writing.start()
        writing.join(5)
        ended = not writing.is_alive()
        peer.kill()  # the thread is to end in any case
        assert ended
        assert not written[-1]
        assert ear.ended.wait(5)
    with started() as peer, calling() as peers:
        assert peers.call(peer.uri, "echo", b"x", 20) == [b"x"]
        peer.stop()
        killing = threading.Timer(10, peer.kill)
        killing.start()
        with pytest.raises(NodeUnavailable):
            peers.call(peer.uri, "echo", b"x" * 3_900_000, 0.5)
        assert killing.is_alive()
        killing.cancel()


def test_a_node_closes_although_a_caller_with_a_line_is_stopped() -> None:
    log = Log()
    abandoned = len(flight_server._ABANDONED)
    with listening(log) as node, started("line", node.uri) as caller:
        assert caller.uri == "open"
        caller.stop()
        began = time.monotonic()
        node.close(1)
        assert time.monotonic() - began < 2
        assert len(flight_server._ABANDONED) == abandoned, "else the process would not end before the caller does"
        assert log.bodies == [b"hello"]


@pytest.mark.parametrize(
    ("name", "sender", "dial", "read", "message"),
    [
        ("orders", orders_sender, orders_dial, read_orders, ReleaseJob),
        ("reports", reports_sender, reports_dial, read_reports, JobReleased),
    ],
    ids=["orders", "reports"],
)
def test_an_outbox_sends_along_a_line_what_the_peer_takes_once(
    name: str, sender: Any, dial: Any, read: Any, message: Any
) -> None:
    inbox: Inbox[object] = Inbox()
    got: list[object] = []
    names: list[str] = []

    def act(action: str, body: bytes, call: Call) -> list[bytes]:
        names.append(action)
        batch = read(action, body)
        assert (batch.driver, batch.worker) == ("d", WORKER)
        return [heard(inbox.receive(batch.first, batch.messages, got.append))]

    service = Told()
    service.act = act  # type: ignore[method-assign]
    node = FlightNode(service, name="served", lines=(name,))
    node.start()
    failures: list[FlightmeshError] = []
    with calling() as peers:
        send = sender(peers, node.uri, "d", WORKER, 5)
        outbox: Outbox[object] = Outbox(send, failures.append, "test", dial=dial(peers, node.uri, "d", WORKER))
        sent: list[object] = []

        def one_more() -> bool:
            sent.append(message(JobId(len(sent))))
            outbox.post(sent[-1])
            wait_until(lambda: got == sent)
            return names[-1] == name  # a call of one message goes under its own action's name

        wait_until(one_more, what="a message along the line")
        large = [FailResult(JobId(n), {"code": "worker_lost", "message": "m" * LINE_BYTES}) for n in range(2)]
        for order in large if name == "orders" else ():
            outbox.collect(order)
            sent.append(order)
        outbox.wake()
        outbox.post(message(JobId(1000)))
        sent.append(message(JobId(1000)))
        assert outbox.flush(20)
        assert got == sent
        outbox.close()
        node.close(5)
    assert failures == []

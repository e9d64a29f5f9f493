"""Calls that are no streams: actions, infos, headers, deadlines, sizes; nodes that are not there."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from flightmesh.errors import (
    InternalError,
    InvalidConfig,
    InvalidInput,
    InvalidMessage,
    InvalidTicket,
    NodeRefused,
    NodeSilent,
    NodeUnavailable,
    UnsupportedFeature,
)
from flightmesh.protocol.tickets import TICKET_BYTES
from flightmesh.transport import large_bodies
from flightmesh.transport.flight_client import ClientConnection
from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.large_bodies import LARGEST_MESSAGE, MESSAGE_BYTES, PUT_ACTION, call_action
from flightmesh.transport.service import ActionKind, Asked, Call, Endpoint
from tests.transport.serving import NUMBERS, Told, calling, served


def echo(body: bytes, call: Call) -> Iterable[bytes]:
    return [body, call.headers.get("flightmesh-session", "none").encode()]


def sized(body: bytes, call: Call) -> Iterable[bytes]:
    return [str(len(body)).encode(), body[:1] + body[-1:], b""]


def test_actions_answer_and_are_listed() -> None:
    with served(Told(acts={"echo": echo})) as node, calling() as peers:
        assert peers.call(node.uri, "echo", b"\x00\xff", 5) == [b"\x00\xff", b"none"]
        with pytest.raises(UnsupportedFeature, match="no action other"):
            peers.call(node.uri, "other", b"", 5)
        client = ClientConnection(node.uri)
        assert client.actions() == (ActionKind("echo", "does echo"),)
        client.close()


def test_a_client_says_its_session_with_every_call() -> None:
    with served(Told(acts={"echo": echo})) as node:
        client = ClientConnection(node.uri)
        assert client.action("echo", b"")[1] == b"none"
        client.set_header("flightmesh-session", "s-1")
        assert client.action("echo", b"")[1] == b"s-1"
        assert client.action("echo", b"x" * (MESSAGE_BYTES + 1))[1] == b"s-1"
        client.close()
        with pytest.raises(NodeUnavailable, match="closed"):
            client.action("echo", b"")


def test_infos_schemas_and_the_catalog() -> None:
    there = Endpoint(b"\x01ticket", "grpc://127.0.0.1:9", 1_700_000_000.25)
    with served(Told(endpoints=(there, Endpoint(b"here", None)))) as node:
        client = ClientConnection(node.uri)
        info = client.info(Asked(command=b"select 1"))
        assert info.endpoints == (there, Endpoint(b"here", None))
        assert (info.schema, info.ordered, info.command, info.path) == (NUMBERS, True, b"select 1", ())
        assert (info.rows, info.size, info.metadata) == (7, 56, b"more")
        assert client.info(Asked(path=("main", "t"))).path == ("main", "t")
        assert client.schema(Asked(path=("a", "ü"))) == pa.schema([("a", pa.int8()), ("ü", pa.int8())])
        assert [found.path for found in client.list()] == [("main", "t")]
        client.close()


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"grpc://127.0.0.1:{free.getsockname()[1]}"
    with calling() as peers:
        for _ in range(3):
            with pytest.raises(NodeRefused, match="nobody listens at"):
                peers.call(address, "x", b"", 5)
        with pytest.raises(NodeRefused):
            peers.get(address, b"t").next()
        with pytest.raises(NodeRefused):
            peers.put(address, b"t", NUMBERS).finish()
        with pytest.raises(InvalidInput, match="no address"):
            peers.call("nonsense://x", "x", b"", 5)


def test_somebody_listens_and_says_nothing() -> None:
    with socket.socket() as silent, calling() as peers:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(NodeSilent, match="did not answer in time"):
            peers.call(f"grpc://127.0.0.1:{silent.getsockname()[1]}", "x", b"", 0.3)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("body", [b"", b"x" * (MESSAGE_BYTES + 1)], ids=["called", "put"])
def test_deadlines_end_calls_at_both_ends(body: bytes) -> None:
    gone = threading.Event()

    def stuck(_: bytes, call: Call) -> Iterable[bytes]:
        while not call.is_cancelled():
            gone.wait(0.02)
        gone.set()
        return []

    with served(Told(acts={"stuck": stuck})) as node, calling() as peers:
        with pytest.raises(NodeSilent, match="did not answer in time"):
            call_action(peers, node.uri, "stuck", body, 1.0)
        if not body:
            assert gone.wait(5)


@pytest.mark.parametrize("size", [0, MESSAGE_BYTES, MESSAGE_BYTES + 1, 9 * MESSAGE_BYTES // 2])
def test_bodies_of_any_size(size: int) -> None:
    with served(Told(acts={"sized": sized})) as node, calling() as peers:
        body = (b"a" + bytes(size) + b"z")[:size] if size else b""
        assert call_action(peers, node.uri, "sized", body, 20) == [str(size).encode(), body[:1] + body[-1:], b""]
        assert node.streams == 0


def test_bodies_commands_and_tickets_past_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(Told(acts={"sized": sized})) as node, calling() as peers:
        with pytest.raises(InvalidMessage, match=f"at most {LARGEST_MESSAGE} are taken"):
            peers.call(node.uri, "sized", bytes(LARGEST_MESSAGE + 1), 20)
        with pytest.raises(InvalidTicket, match=f"at most {TICKET_BYTES} bytes"):
            peers.get(node.uri, bytes(TICKET_BYTES + 1)).next()
        client = ClientConnection(node.uri)
        with pytest.raises(InvalidMessage, match="the command has"):
            client.info(Asked(command=bytes(LARGEST_MESSAGE + 1)))
        client.close()
        monkeypatch.setattr(large_bodies, "LARGEST_BODY", 6 << 20)
        with pytest.raises(InvalidMessage, match="too large"):
            call_action(peers, node.uri, "sized", bytes((6 << 20) + 1), 20)
        assert call_action(peers, node.uri, "sized", b"ok", 5)[0] == b"2"


def test_puts_that_name_an_action_and_are_none() -> None:
    with served(Told(acts={"sized": sized})) as node, calling() as peers:
        other = peers.put(node.uri, PUT_ACTION + b"sized", NUMBERS)
        with pytest.raises(InvalidMessage, match="one binary column"):
            other.finish()
        unfinished = peers.put(node.uri, PUT_ACTION + b"sized", large_bodies.BODY_SCHEMA)
        with pytest.raises(InvalidMessage, match="ends before its last piece"):
            unfinished.finish()


def test_a_node_is_deaf_before_its_start_and_after_its_end() -> None:
    node = FlightNode(Told(acts={"echo": echo}))
    with calling() as peers:
        with pytest.raises(NodeUnavailable, match="starting"):
            peers.call(node.uri, "echo", b"", 5)
        node.start()
        assert peers.call(node.uri, "echo", b"1", 5)[0] == b"1"
        with pytest.raises(InvalidConfig, match="cannot listen at"):
            FlightNode(Told(), listen=node.uri)
        node.close(2)
        node.close(2)
        with pytest.raises(NodeUnavailable):
            peers.call(node.uri, "echo", b"", 5)


def test_a_peer_that_does_not_offer_what_flight_knows() -> None:
    """Flight servers of others answer with errors that carry nothing of ours."""
    server = flight.FlightServerBase("grpc://127.0.0.1:0")
    with calling() as peers, pytest.raises((UnsupportedFeature, InternalError)):
        peers.call(f"grpc://127.0.0.1:{server.port}", "x", b"", 5)
    server.shutdown()

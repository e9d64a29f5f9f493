"""Other nodes over Flight: kept connections, calls with deadlines, streams in and out.

Handed addresses (URIs); hands on answers and streams. What always holds: a node has two connections, so that calls
(heartbeats, orders) never queue behind rows; a reader has at most its window ahead of it; batches come aligned; every call
ends by its deadline; only FlightmeshErrors leave here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakSet

import pyarrow as pa
import pyarrow.flight as flight

from flightmesh.config import MIB
from flightmesh.errors import FlightmeshError, InvalidInput, NodeUnavailable, NotTrusted
from flightmesh.transport.flight_errors import FLIGHT_FAILURES, from_call, is_unheard, read_extra
from flightmesh.transport.flight_lines import FlightLine
from flightmesh.transport.flight_streams import FlightStreamIn, FlightStreamOut
from flightmesh.transport.flight_values import READ_OPTIONS
from flightmesh.transport.get_schema_errors import TrailerFactory
from flightmesh.transport.large_bodies import PUT_ACTION
from flightmesh.transport.peers import StreamIn, StreamOut
from flightmesh.transport.security import TLS_SCHEME, ClientTls, scheme_of

T = TypeVar("T")
CONNECT_MS = 120_000
"""How long gRPC tries to connect to a peer that neither answers nor refuses: one that is stopped, or too busy. Whether such a
node is lost is for the driver to say; calls have their own deadlines. (The option's name says less than it does.)"""
UNSENT_MS = 10_000
"""How long a peer may take nothing of what a connection is to send before that ends (TCP_USER_TIMEOUT). gRPC lets go of what it
is writing only with the connection, whatever deadline the call has, or who cancels it: without this a thread that writes to a
peer that is stopped waits for as long as that is. Its servers have 20 s for the same."""
PING_MS = 600_000
"""gRPC sets that only where it also pings; its servers bear with a ping every five minutes."""

RENEWING_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""A node whose certificate is being renewed takes no connection for some milliseconds, on a crowded machine for more: who was
not heard asks again after these."""


def plain(address: str) -> ClientTls | None:
    """How to trust any address where nothing is encrypted."""
    return None


class Connection:
    """One node, by its address. Connects with the first call; connects again when it has to. Any thread may call."""

    def __init__(
        self, address: str, window: int = 8 * MIB, headers: Mapping[str, str] | None = None, tls: ClientTls | None = None
    ) -> None:
        self.address = address
        self.headers = dict(headers or {})
        self._tls = tls
        self._pauses = RENEWING_SECONDS if tls is not None else ()
        self._calls = _client(address, window, tls)
        self._streams = _client(address, window, tls)

    def call(self, action: str, body: bytes, seconds: float) -> list[bytes]:
        """The answers to an action."""
        return self.ask(
            lambda client, options: [
                result.body.to_pybytes() for result in client.do_action(flight.Action(action, body), options)
            ],
            seconds,
        )

    def ask(self, what: Callable[[flight.FlightClient, flight.FlightCallOptions], T], seconds: float) -> T:
        """What any call that is no stream gives, within `seconds`."""
        return self._retried(lambda options: what(self._calls, options), seconds)

    def _retried(self, what: Callable[[flight.FlightCallOptions], T], seconds: float) -> T:
        options = flight.FlightCallOptions(timeout=max(seconds, 0.001), headers=self._wire_headers())
        for pause in (*self._pauses, None):
            try:
                return what(options)
            except FLIGHT_FAILURES as error:
                failure, unheard = from_call(error, self.address), is_unheard(error)
            if pause is None or not unheard:
                break
            time.sleep(pause)
        raise failure

    def schema(self, descriptor: flight.FlightDescriptor, seconds: float) -> pa.Schema:
        """GetSchema. With a connection of its own, since its errors come as trailers."""
        trailers = TrailerFactory()

        def ask(options: flight.FlightCallOptions) -> pa.Schema:
            with _client(self.address, MIB, self._tls, trailers) as client:
                return client.get_schema(descriptor, options).schema

        try:
            return self._retried(ask, seconds)
        except FlightmeshError as error:
            failure = (read_extra(trailers.found[-1]) if trailers.found else None) or error
        raise failure

    def get(self, ticket: bytes) -> FlightStreamIn:
        """Opens a stream of this node."""
        options = self._stream_options()
        return FlightStreamIn(self.address, lambda: self._streams.do_get(flight.Ticket(ticket), options), self._pauses)

    def put(self, descriptor: flight.FlightDescriptor, schema: pa.Schema) -> FlightStreamOut:
        """Opens a stream to this node."""
        options = self._stream_options()
        return FlightStreamOut(self.address, lambda: self._streams.do_put(descriptor, schema, options))

    def line(self, action: str, hello: bytes, on_answer: Callable[[bytes], None], on_end: Callable[[], None]) -> FlightLine:
        """Opens a line to this node."""
        descriptor = flight.FlightDescriptor.for_command(PUT_ACTION + action.encode())
        options = flight.FlightCallOptions(headers=self._wire_headers())
        return FlightLine(self.address, lambda: self._calls.do_exchange(descriptor, options), hello, on_answer, on_end)

    def close(self) -> None:
        """Lets go of the connections. Streams that are open end with their own close or cancel."""
        self._calls.close()
        self._streams.close()

    def _stream_options(self) -> flight.FlightCallOptions:
        return flight.FlightCallOptions(headers=self._wire_headers(), read_options=READ_OPTIONS)

    def _wire_headers(self) -> list[tuple[bytes, bytes]]:
        return [(name.encode(), value.encode()) for name, value in self.headers.items()]


def _client(
    address: str, window: int, tls: ClientTls | None, *middleware: flight.ClientMiddlewareFactory
) -> flight.FlightClient:
    """A client that reads at most `window` bytes ahead, and that is quick to try a dead address again. One that is to trust
    somebody goes nowhere without TLS, whoever named the address: it would hand out what it is to keep."""
    if tls is not None and scheme_of(address) != TLS_SCHEME:
        raise NotTrusted(f"{address[:200]!r} is an address without TLS, in a mesh that has it", hint="nothing was sent there")
    options = [
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", window),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", CONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", 500),
        ("grpc.keepalive_time_ms", PING_MS),
        ("grpc.keepalive_timeout_ms", UNSENT_MS),
    ]
    try:
        return flight.connect(address, generic_options=options, middleware=list(middleware), **_tls_arguments(tls))
    except (*FLIGHT_FAILURES, ValueError) as error:
        reason = (str(error).splitlines() or [""])[0]
        failure = InvalidInput(f"{address} is no address of a node: {reason}", hint="write grpc://HOST:PORT")
    raise failure


def _tls_arguments(tls: ClientTls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    if tls.roots is None:
        return {"disable_server_verification": True}
    said: dict[str, Any] = {"tls_root_certs": tls.roots}
    if tls.name is not None:
        said["override_hostname"] = tls.name
    if tls.certificate:
        said |= {"cert_chain": tls.certificate, "private_key": tls.key}
    return said


class FlightPeers:
    """All other nodes. Implements `Peers`. `trust`: what to show to whoever is at an address, and what to ask of it."""

    def __init__(
        self,
        window: int = 8 * MIB,
        headers: Mapping[str, str] | None = None,
        trust: Callable[[str], ClientTls | None] = plain,
    ) -> None:
        self._window = window
        self._headers = dict(headers or {})
        self._trust = trust
        self._lock = threading.Lock()
        self._connections: dict[str, Connection] = {}
        self._lines: WeakSet[FlightLine] = WeakSet()
        self._closed = False

    def call(self, address: str, action: str, body: bytes, seconds: float) -> list[bytes]:
        """The answers to an action, within a deadline."""
        return self.at(address).call(action, body, seconds)

    def get(self, address: str, ticket: bytes) -> StreamIn:
        """Opens a stream. Returns at once: what goes wrong is raised by `next`."""
        return self.at(address).get(ticket)

    def put(self, address: str, command: bytes, schema: pa.Schema) -> StreamOut:
        """Opens a stream to a peer. Returns at once: what goes wrong is raised by `write` and `finish`."""
        return self.at(address).put(flight.FlightDescriptor.for_command(command), schema)

    def line(
        self, address: str, action: str, hello: bytes, on_answer: Callable[[bytes], None], on_end: Callable[[], None]
    ) -> FlightLine:
        """Opens a line. Returns at once: `on_end` is called, too, where it could not be opened."""
        line = self.at(address).line(action, hello, on_answer, on_end)
        with self._lock:
            self._lines.add(line)
        return line

    def set_header(self, name: str, value: str) -> None:
        """Sends a header with every later call."""
        with self._lock:
            self._headers[name] = value
            for connection in self._connections.values():
                connection.headers = dict(self._headers)

    def forget(self, address: str) -> None:
        """Lets go of the connections to a node that is gone."""
        with self._lock:
            connection = self._connections.pop(address, None)
        if connection is not None:
            connection.close()

    def renew(self) -> None:
        """This node has another certificate: connections are made anew from now on. Streams that are open keep theirs, lines,
        which do not come to an end, are dialled again."""
        with self._lock:
            self._connections.clear()
            lines = tuple(self._lines)
        for line in lines:
            line.hang_up()

    def close(self) -> None:
        """Ends every connection; calls after that raise NodeUnavailable."""
        with self._lock:
            self._closed = True
            connections = list(self._connections.values())
            self._connections.clear()
        for connection in connections:
            connection.close()

    def at(self, address: str) -> Connection:
        """The connection to a node, made with the first call."""
        with self._lock:
            if self._closed:
                raise NodeUnavailable("the connections to other nodes are closed")
            found = self._connections.get(address)
            if found is None:
                found = Connection(address, self._window, self._headers, self._trust(address))
                self._connections[address] = found
            return found

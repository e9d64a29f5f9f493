"""A listener of a node: a Flight server that serves a `Service`.

Handed a service and an address; hands on its calls, one a gRPC thread. What always holds: whatever a service raises crosses
as a typed Flight error without a traceback; bodies, commands and tickets past their limit are refused before anybody reads
them; while the node closes, calls are cancelled, streams end, and nothing new begins; `close` returns within its time,
whatever clients do.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.flight as flight

from flightmesh.dataclass import dataclass
from flightmesh.errors import (
    FlightmeshError,
    InternalError,
    InvalidConfig,
    InvalidMessage,
    InvalidTicket,
    NodeUnavailable,
    NotAllowed,
    Unauthenticated,
)
from flightmesh.protocol.tickets import TICKET_BYTES
from flightmesh.transport.flight_calls import HEADERS, FlightCall, HeaderFactory, Traffic
from flightmesh.transport.flight_errors import to_flight
from flightmesh.transport.flight_lines import Lines
from flightmesh.transport.flight_rows import incoming, internal, outgoing
from flightmesh.transport.flight_values import from_descriptor, to_flight_info
from flightmesh.transport.get_schema_errors import refuse_schema
from flightmesh.transport.large_bodies import LARGEST_MESSAGE, action_of, gather_body, pack_answers
from flightmesh.transport.open_sockets import cut_off
from flightmesh.transport.refusals import Refusals
from flightmesh.transport.security import Guard, OpenDoor, Security, ServerTls, host_of
from flightmesh.transport.service import Asked, Service

LOG = logging.getLogger(__name__)
T = TypeVar("T")
CUT_SECONDS = 0.5
"""What is left of a listener's time to close when those are cut off that have not let go."""
RENEW_SECONDS = 5.0
"""How long a port may take to be free again; it takes some milliseconds."""
REFUSALS = (Unauthenticated, NotAllowed)
_PORT_HINT = "is the port in use? give another: `--port N` and `--peer-port N`, `up --port N`, or `port:` in the file of `up`"
_ABANDONED: list[flight.FlightServerBase] = []
"""Servers whose clients did not let go in time. Kept, because to drop one waits for them."""


class FlightNode:
    """Serves `service` at `listen`; port 0 takes a free one. The port is open at once; calls are refused as NodeUnavailable
    until `start`. With `security` it speaks TLS, and its guard is asked before the service hears of a call. Raises
    InvalidConfig when the address cannot be had."""

    def __init__(
        self,
        service: Service,
        listen: str = "grpc://127.0.0.1:0",
        name: str = "node",
        security: Security | None = None,
        lines: Iterable[str] = (),
    ) -> None:
        """`lines`: the actions, each with one answer, that may be asked for along a line, too."""
        self.name = name
        self.traffic = Traffic()
        self._serving = threading.Event()
        self._closing = threading.Event()
        guard = security.guard if security else OpenDoor()
        self._door = _Door(service, self.traffic, guard, self._serving, self._closing, frozenset(lines))
        self._lock = threading.Lock()
        self._draining: list[threading.Thread] = []
        try:
            self._server = _Server(listen, self._door, security.tls if security else None)
        except (pa.ArrowException, flight.FlightError, OSError) as error:
            reason = str(error).splitlines()[0]
            failure = InvalidConfig(f"{name} cannot listen at {listen}: {reason}", hint=_why(listen))
        else:
            self.uri = f"{listen.rpartition(':')[0]}:{self._server.port}"
            return
        raise failure

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.uri.rpartition(":")[2])

    def renew(self, tls: ServerTls) -> None:
        """Shows another certificate from now on, at the same port. Streams that are open go on to their end under the old one:
        a server that shuts down lets go of its port at once, and of its calls when they end. Raises InvalidConfig if the port
        could not be had again."""
        with self._lock:
            if self._closing.is_set():
                return
            old, end_lines = self._server, self._door.lines.ending()
            drain = threading.Thread(target=old.shutdown, name=f"{self.name}-drain", daemon=True)
            drain.start()
            self._draining = [drain, *(each for each in self._draining if each.is_alive())]
            threading.Thread(target=end_lines, name=f"{self.name}-lines", daemon=True).start()
            self._server = self._again(tls)

    def _again(self, tls: ServerTls) -> _Server:
        until = time.monotonic() + RENEW_SECONDS
        while True:
            try:
                return _Server(self.uri, self._door, tls)
            except (pa.ArrowException, flight.FlightError, OSError) as error:
                if time.monotonic() > until:
                    reason = str(error).splitlines()[0]
                    raise InvalidConfig(
                        f"{self.name} lost its port {self.port} while its certificate was renewed: {reason}"
                    ) from None
            self._closing.wait(0.001)

    def start(self) -> None:
        """Answers calls from now on."""
        self._serving.set()

    @property
    def streams(self) -> int:
        """Data streams open now."""
        return self.traffic.streams

    @property
    def bytes_out(self) -> int:
        """Bytes of rows sent."""
        return self.traffic.bytes_out

    @property
    def bytes_in(self) -> int:
        """Bytes of rows received."""
        return self.traffic.bytes_in

    def close(self, seconds: float) -> None:
        """Ends all streams, then the listener, within `seconds`; who does not let go is cut off. Once is enough; more often
        does no harm."""
        deadline = time.monotonic() + seconds
        self._closing.set()
        self.traffic.wait_idle(seconds / 2)
        with self._lock:
            server, end_lines, draining = self._server, self._door.lines.ending(), self._draining

        def shut_down() -> None:
            end_lines()
            server.shutdown()

        ender = threading.Thread(target=shut_down, name=f"{self.name}-shutdown", daemon=True)
        ender.start()
        if not _have_ended([ender, *draining], deadline - min(CUT_SECONDS, seconds / 2)):
            LOG.info("%s cut off %d connections of peers that did not let go", self.name, cut_off(self.port))
        if not _have_ended([ender, *draining], deadline):
            LOG.warning("%s closes with clients that do not let go", self.name)
            _ABANDONED.append(server)


@dataclass(frozen=True, slots=True)
class _Door:
    """What all servers of a listener have in common: the service, who may call it, and whether it is open."""

    service: Service
    traffic: Traffic
    guard: Guard
    serving: threading.Event
    closing: threading.Event
    kinds: frozenset[str]
    refusals: Refusals = field(default_factory=Refusals)
    lines: Lines = field(default_factory=Lines)


class _Server(flight.FlightServerBase):  # type: ignore[misc]
    """Flight's methods, each guarded, each handed on to the service."""

    def __init__(self, listen: str, door: _Door, tls: ServerTls | None) -> None:
        self._door = door
        self._service = door.service
        self._traffic = door.traffic
        self._closing = door.closing
        super().__init__(listen, middleware={HEADERS: HeaderFactory()}, **_tls_arguments(tls))

    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        """The service's actions."""
        return self._answer(context, lambda _: [(kind.name, kind.description) for kind in self._service.actions()])

    def do_action(self, context: Any, action: Any) -> list[flight.Result]:
        """One action of the service."""

        def act(call: FlightCall) -> list[flight.Result]:
            body = _small(action.body, f"the body of {action.type[:80]!r}")
            return [flight.Result(pa.py_buffer(answer)) for answer in self._service.act(action.type, body, call)]

        return self._answer(context, act, action.type)

    def do_get(self, context: Any, ticket: Any) -> flight.FlightDataStream:
        """A stream of the service."""

        def get(call: FlightCall) -> flight.FlightDataStream:
            data = bytes(ticket.ticket)
            if len(data) > TICKET_BYTES:
                raise InvalidTicket(f"a ticket has at most {TICKET_BYTES} bytes, this one has {len(data)}")
            stream = self._service.get(data, call)
            if any(pa.types.is_dictionary(field.type) for field in stream.schema):
                stream.close()
                raise InternalError("a stream of dictionary columns was to be sent; they are decoded before")
            return outgoing(stream, call, self._traffic)

        return self._guarded(FlightCall(context, self._closing), get)

    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """A stream to the service, or an action whose body is larger than a message."""

        def put(call: FlightCall) -> None:
            asked = _asked(descriptor)
            self._traffic.opened()
            try:
                stream = incoming(reader, writer, call, self._traffic)
                name = action_of(asked.command)
                if name is None:
                    self._service.put(asked, stream, call)
                else:
                    self._door.guard.check(call, name)
                    stream.acknowledge(pack_answers(self._service.act(name, gather_body(stream), call)))
            finally:
                self._traffic.ended()

        self._answer(context, put)

    def get_flight_info(self, context: Any, descriptor: Any) -> flight.FlightInfo:
        """Where the rows of a command are."""
        return self._answer(context, lambda call: to_flight_info(self._service.info(_asked(descriptor), call)))

    def get_schema(self, context: Any, descriptor: Any) -> flight.SchemaResult:
        """The schema of a command's rows."""
        try:
            return self._answer(context, lambda call: flight.SchemaResult(self._service.schema(_asked(descriptor), call)))
        except flight.FlightError as error:
            refusal = refuse_schema(context, error)
        raise refusal

    def list_flights(self, context: Any, criteria: bytes) -> Iterator[flight.FlightInfo]:
        """What the service's catalog lists."""
        return iter(self._answer(context, lambda call: [to_flight_info(info) for info in self._service.list(call)]))

    def do_exchange(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """An action that is asked for again and again, along a line."""

        def serve(call: FlightCall) -> None:
            name = action_of(_asked(descriptor).command)
            if name is None or name not in self._door.kinds:
                raise InvalidMessage("DoExchange is not offered for this", hint="rows come by DoGet and go by DoPut")

            def answer(body: bytes) -> bytes:
                self._door.guard.check(call, name)
                (answered,) = self._service.act(name, _small(body, f"the body of {name!r}"), call)
                return answered

            self._door.guard.check(call, name)
            self._door.lines.serve(reader, writer, answer, lambda: not self._closing.is_set())

        self._answer(context, serve)

    def _answer(self, context: Any, what: Callable[[FlightCall], T], action: str | None = None) -> T:
        call = FlightCall(context, self._closing)
        try:
            return self._guarded(call, what, action)
        finally:
            call.end()

    def _guarded(self, call: FlightCall, what: Callable[[FlightCall], T], action: str | None = None) -> T:
        try:
            if self._closing.is_set() or not self._door.serving.is_set():
                raise NodeUnavailable("this node is closing" if self._closing.is_set() else "this node is starting")
            self._door.guard.check(call, action)
            return what(call)
        except REFUSALS as error:
            self._door.refusals.note(call.identity or call.peer, error.message)
            failure = to_flight(error)
        except FlightmeshError as error:
            failure = to_flight(error)
        except Exception as error:
            failure = to_flight(internal(error))
        raise failure


def _have_ended(threads: list[threading.Thread], until: float) -> bool:
    """Whether all of them have, waited for."""
    for thread in threads:
        thread.join(max(0.05, until - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _asked(descriptor: Any) -> Asked:
    asked = from_descriptor(descriptor)
    _small(asked.command or b"".join(part.encode() for part in asked.path), "the command")
    return asked


def _small(data: Any, what: str) -> bytes:
    """The bytes of a request, unless they are too many."""
    size = len(data) if isinstance(data, bytes) else data.size
    if size > LARGEST_MESSAGE:
        raise InvalidMessage(
            f"{what} has {size} bytes, at most {LARGEST_MESSAGE} are taken", hint="larger bodies come by DoPut"
        )
    return data if isinstance(data, bytes) else bytes(data.to_pybytes())


def _tls_arguments(tls: ServerTls | None) -> dict[str, Any]:
    if tls is None:
        return {}
    shown: dict[str, Any] = {"tls_certificates": [(tls.certificate, tls.key)]}
    if tls.client_roots is not None:
        shown |= {"verify_client": True, "root_certificates": tls.client_roots}
    return shown


def _why(listen: str) -> str:
    """What to try when an address cannot be had: another host, if this machine has no such address, else another port."""
    host = host_of(listen)
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
    except OSError:
        return f"{host} is no address of this machine: give one that is, with --listen"
    return _PORT_HINT

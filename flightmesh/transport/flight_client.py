"""A client's connection to a driver, and to the workers that hold its results.

Handed a driver's address; hands on answers, infos and streams. What always holds: as `flight_peers`; headers (the session's)
go with every call, to the driver and to the workers; nothing here reads a whole result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.flight as flight

from flightmesh.config import MIB
from flightmesh.transport.flight_peers import Connection, FlightPeers, plain
from flightmesh.transport.flight_values import from_flight_info, to_descriptor
from flightmesh.transport.large_bodies import BODY_SCHEMA, MESSAGE_BYTES, PUT_ACTION, put_action
from flightmesh.transport.peers import StreamIn, StreamOut
from flightmesh.transport.security import ClientTls
from flightmesh.transport.service import ActionKind, Asked, Info

SESSION_HEADER = "flightmesh-session"
CALL_SECONDS = 60.0


class ClientConnection:
    """A driver at `uri` (`grpc+tls://HOST:PORT`, or `grpc://...`), and whatever its infos name. Any thread may call."""

    def __init__(
        self,
        uri: str,
        headers: Mapping[str, str] | None = None,
        window: int = 8 * MIB,
        trust: Callable[[str], ClientTls | None] = plain,
    ) -> None:
        self.uri = uri
        self._nodes = FlightPeers(window, headers, trust)

    def set_header(self, name: str, value: str) -> None:
        """Sends a header with every later call."""
        self._nodes.set_header(name, value)

    def action(self, name: str, body: bytes, seconds: float = CALL_SECONDS) -> list[bytes]:
        """The driver's answers to an action."""
        driver = self._at(None)
        if len(body) <= MESSAGE_BYTES:
            return driver.call(name, body, seconds)
        descriptor = flight.FlightDescriptor.for_command(PUT_ACTION + name.encode())
        return put_action(lambda: driver.put(descriptor, BODY_SCHEMA), self.uri, body, seconds)

    def info(self, asked: Asked, seconds: float = CALL_SECONDS) -> Info:
        """GetFlightInfo: starts a query, or describes a table."""
        return self._at(None).ask(
            lambda client, options: from_flight_info(client.get_flight_info(to_descriptor(asked), options)), seconds
        )

    def schema(self, asked: Asked, seconds: float = CALL_SECONDS) -> pa.Schema:
        """GetSchema: plans a query, or describes a table."""
        return self._at(None).schema(to_descriptor(asked), seconds)

    def list(self, seconds: float = CALL_SECONDS) -> tuple[Info, ...]:
        """ListFlights: the catalog."""
        return self._at(None).ask(
            lambda client, options: tuple(from_flight_info(info) for info in client.list_flights(b"", options)), seconds
        )

    def actions(self, seconds: float = CALL_SECONDS) -> tuple[ActionKind, ...]:
        """What the driver can be asked."""
        return self._at(None).ask(
            lambda client, options: tuple(ActionKind(kind.type, kind.description) for kind in client.list_actions(options)),
            seconds,
        )

    def get(self, location: str | None, ticket: bytes) -> StreamIn:
        """Opens the stream of an endpoint. Returns at once. `location` None: at the driver."""
        return self._at(location).get(ticket)

    def put(self, asked: Asked, schema: pa.Schema) -> StreamOut:
        """Opens a stream to the driver. Returns at once."""
        return self._at(None).put(to_descriptor(asked), schema)

    def close(self) -> None:
        """Lets go of all connections; calls after that raise NodeUnavailable."""
        self._nodes.close()

    def _at(self, location: str | None) -> Connection:
        return self._nodes.at(location or self.uri)

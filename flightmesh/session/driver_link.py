"""A client's line to the driver of a mesh: typed questions and answers over one Flight connection.

Handed the driver's address; hands on answers as the messages of `protocol.client_messages`, infos and streams. What always
holds: every call has a deadline, and a driver that nobody answers for is a NodeUnavailable that names the address and says
what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import pyarrow as pa

from flightmesh.errors import FlightmeshError, InvalidMessage, NodeRefused, NodeSilent, NodeUnavailable
from flightmesh.protocol.client_messages import Done, OpenSession, Run, SessionOpened, UploadTable
from flightmesh.protocol.codec import decode, encode
from flightmesh.session.driver_access import find_access
from flightmesh.session.silence import ANSWER_SECONDS
from flightmesh.transport.flight_client import SESSION_HEADER
from flightmesh.transport.peers import StreamIn
from flightmesh.transport.service import Asked, Endpoint, Info

CALL_SECONDS = 20.0
PATIENT_SECONDS = 86_400.0
"""The deadline of a call that may take as long as queries do."""
OPEN_SECONDS = 4.0
"""How long a driver may take to say that it is there."""

Answer = TypeVar("Answer")


class DriverLink:
    """One session's connection. Any thread may call."""

    def __init__(self, address: str, opening: OpenSession, token: str | None = None) -> None:
        """Opens a session. Raises NodeUnavailable when nobody is there, Unauthenticated when the token lets nobody in."""
        self.uri = address
        try:
            access = find_access(address, token)
        except (NodeRefused, NodeSilent) as error:
            raise self._unanswered(error) from None
        self.uri = access.uri
        self._connection = access.connect()
        try:
            self.opened = self.ask("open-session", opening, SessionOpened, OPEN_SECONDS)
        except FlightmeshError as error:
            self._connection.close()
            wrapped = type(error) is NodeUnavailable  # somebody listens, but does not speak as a driver does
            raise self._unanswered(error) if wrapped else error from None
        self._connection.set_header(SESSION_HEADER, self.opened.session)

    def ask(self, action: str, question: Any, kind: type[Answer], seconds: float = CALL_SECONDS) -> Answer:
        """The answer to an action, which is a message of class `kind`. `question` None: an action without a body."""
        answers = self._act(action, b"" if question is None else encode(question), seconds)
        if len(answers) != 1:
            raise InvalidMessage(f"the driver at {self.uri} gave {len(answers)} answers to {action!r}, not 1")
        found: Answer = decode(answers[0], kind)
        return found

    def tell(self, action: str, question: Any, seconds: float = CALL_SECONDS) -> None:
        """Carries out an action whose answer does not matter."""
        self._act(action, encode(question), seconds)

    def ping(self) -> None:
        """Hears from the driver that it is there, and renews the session's lease. Raises NodeUnavailable."""
        self.ask("ping", None, Done, ANSWER_SECONDS)

    def place(self, run: Run) -> Info:
        """Starts a query. Returns once it is placed, which may take as long as jobs before it run."""
        try:
            return self._connection.info(Asked(command=encode(run)), PATIENT_SECONDS)
        except (NodeRefused, NodeSilent) as error:
            raise self._unanswered(error) from None

    def open(self, endpoint: Endpoint) -> StreamIn:
        """The rows of one partition of a result, from where it lies."""
        return self._connection.get(endpoint.location, endpoint.ticket)

    def upload(self, table: UploadTable, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """Sends rows, which become a table when all have come."""
        stream = self._connection.put(Asked(command=encode(table)), schema)
        try:
            for batch in batches:
                stream.write(batch, b"")
            stream.finish()
        except BaseException:
            stream.cancel()
            raise

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def _act(self, action: str, body: bytes, seconds: float) -> list[bytes]:
        try:
            return self._connection.action(action, body, seconds)
        except (NodeRefused, NodeSilent) as error:
            raise self._unanswered(error) from None

    def _unanswered(self, error: FlightmeshError) -> FlightmeshError:
        own = error.hint if type(error) is NodeUnavailable else None
        hint = own or "check the address, and that the driver runs there: flightmesh driver"
        return type(error)(f"no driver answers at {self.uri}: {error.message}", hint=hint)

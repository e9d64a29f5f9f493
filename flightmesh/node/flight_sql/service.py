"""What a driver answers to clients of Arrow Flight SQL, on its client listener.

Handed calls whose command, ticket or action is one of Flight SQL; hands on answers. What always holds: everything is the same
engine and the same sessions as for other clients: a call without our session header works with the names of the mesh; a query's
rows come from the workers; listings are made anew when they are read, so nothing is kept for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

import pyarrow as pa

from flightmesh.config import MIB
from flightmesh.errors import FlightmeshError, InvalidMessage, InvalidQuery, InvalidTicket, UnsupportedFeature
from flightmesh.node.attending import attending
from flightmesh.node.flight_sql.binding import read_values
from flightmesh.node.flight_sql.cancelling import cancel_info
from flightmesh.node.flight_sql.ingest import ingest
from flightmesh.node.flight_sql.metadata import metadata_rows, metadata_schema
from flightmesh.node.flight_sql.prepared import PreparedStatement, PreparedStatements
from flightmesh.node.mesh_engine import Mesh
from flightmesh.node.results import Results
from flightmesh.node.sessions import HEADER, MeshSession, Sessions
from flightmesh.protocol.client_messages import Delivery, Route
from flightmesh.protocol.flight_sql import (
    ActionCancelQueryRequest,
    ActionCancelQueryResult,
    ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult,
    CancelFlightInfoRequest,
    CancelFlightInfoResult,
    CloseSessionResult,
    CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate,
    CommandStatementIngest,
    CommandStatementQuery,
    CommandStatementUpdate,
    DoPutPreparedStatementResult,
    DoPutUpdateResult,
    FlightInfo,
    Metadata,
    read_command,
    read_wrapped,
    wrapped,
)
from flightmesh.protocol.protobuf import read_message, write_message
from flightmesh.protocol.tickets import TICKET_BYTES
from flightmesh.session.plan import typed_errors
from flightmesh.transport.service import ActionKind, Call, Endpoint, Info, InStream, OutStream

RESULTS_HEADER = "flightmesh-results"
"""`through-driver` in it has rows come through the driver, for clients that reach nobody else."""
READ_OUT_BYTES = 64 * MIB
"""How much of a put that is refused is still read, to no other end than that its sender hears why."""
UNKNOWN_COUNT = -1
_CLOSED = 1


class FlightSql:
    """Any thread may call."""

    ACTIONS: ClassVar[tuple[ActionKind, ...]] = (
        ActionKind("CreatePreparedStatement", "Flight SQL: prepares a statement."),
        ActionKind("ClosePreparedStatement", "Flight SQL: forgets a prepared statement."),
        ActionKind("CancelFlightInfo", "Flight: ends the query of a flight info."),
        ActionKind("CancelQuery", "Flight SQL: the older way of CancelFlightInfo."),
        ActionKind("CloseSession", "Flight: ends the caller's session, if it has one."),
        ActionKind("GetSessionOptions", "Flight: the options of a session; there are none."),
    )

    def __init__(self, mesh: Mesh, sessions: Sessions, results: Results) -> None:
        self._mesh = mesh
        self._sessions = sessions
        self._results = results
        self.prepared = PreparedStatements(sessions.lease_seconds)
        self._answers: dict[str, Callable[[bytes, MeshSession], bytes]] = {
            "CreatePreparedStatement": self._prepare,
            "ClosePreparedStatement": self._close_prepared,
            "CancelFlightInfo": self._cancel_info,
            "CancelQuery": self._cancel_query,
            "GetSessionOptions": lambda body, session: b"",
        }

    def knows(self, action: str) -> bool:
        """Whether an action is one of Flight SQL."""
        return action == "CloseSession" or action in self._answers

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        """Carries out an action."""
        if name == "CloseSession":
            if HEADER in call.headers:
                self._sessions.end(call.headers)
            return [write_message(CloseSessionResult(_CLOSED))]
        with self._sessions.using(call.headers) as session, attending(call), typed_errors():
            return [self._answers[name](body, session)]

    def info(self, data: bytes, call: Call) -> Info:
        """Runs a query; or says where the rows of a listing are."""
        command = read_command(data)
        with self._sessions.using(call.headers) as session, attending(call), typed_errors():
            match command:
                case CommandStatementQuery(query=query, transaction_id=transaction):
                    _refuse_transaction(transaction)
                    return self._run(query, None, session, call)
                case CommandPreparedStatementQuery(prepared_statement_handle=handle):
                    statement = self.prepared.find(handle)
                    return self._run(statement.text, statement.values, session, call)
                case CommandStatementUpdate() | CommandPreparedStatementUpdate() | CommandStatementIngest():
                    raise InvalidMessage(f"{type(command).__name__} goes by DoPut")
                case _:
                    return self._listing(command, data, session)

    def schema(self, data: bytes, call: Call) -> pa.Schema:
        """The columns of what `info` would give; nothing is run."""
        command = read_command(data)
        with self._sessions.using(call.headers) as session, attending(call), typed_errors():
            match command:
                case CommandStatementQuery(query=query):
                    return session.workspace.schema(query)
                case CommandPreparedStatementQuery(prepared_statement_handle=handle):
                    statement = self.prepared.find(handle)
                    return session.workspace.schema(statement.text, None, statement.values or _nulls(statement.parameters))
                case CommandStatementUpdate() | CommandPreparedStatementUpdate() | CommandStatementIngest():
                    raise InvalidMessage(f"{type(command).__name__} gives no rows")
                case _:
                    return metadata_schema(command)

    def get(self, ticket: bytes, call: Call) -> OutStream:
        """The rows of a listing. Everything else has a ticket of its own."""
        command = read_command(ticket)
        with self._sessions.using(call.headers) as session, attending(call), typed_errors():
            match command:
                case (
                    CommandStatementQuery()
                    | CommandPreparedStatementQuery()
                    | CommandStatementUpdate()
                    | CommandPreparedStatementUpdate()
                    | CommandStatementIngest()
                ):
                    raise InvalidTicket(f"{type(command).__name__} is no ticket", hint="GetFlightInfo gives tickets")
                case _:
                    rows = metadata_rows(command, session, self.prepared.seconds)
        return OutStream(rows.schema, ((batch, b"") for batch in rows.to_batches()), lambda: None)

    def put(self, data: bytes, stream: InStream, call: Call) -> None:
        """Binds parameters, carries out a statement that gives no rows, or takes rows in bulk."""
        try:
            self._put(data, stream, call)
        except FlightmeshError:
            _read_out(stream)
            raise

    def _put(self, data: bytes, stream: InStream, call: Call) -> None:
        command = read_command(data)
        with self._sessions.using(call.headers) as session, attending(call), typed_errors():
            match command:
                case CommandPreparedStatementQuery(prepared_statement_handle=handle):
                    values, size = read_values(stream, self.prepared.find(handle).parameters)
                    self.prepared.bind(handle, values, size)
                    answer: object = DoPutPreparedStatementResult(handle)
                case CommandStatementUpdate(query=query, transaction_id=transaction):
                    _refuse_transaction(transaction)
                    answer = DoPutUpdateResult(_update(query, None, session))
                case CommandPreparedStatementUpdate(prepared_statement_handle=handle):
                    statement = self.prepared.find(handle)
                    comes = statement.parameters and stream.columns is not None and len(stream.columns)
                    bound = read_values(stream, statement.parameters)[0] if comes else statement.values
                    answer = DoPutUpdateResult(_update(statement.text, bound, session))
                case CommandStatementIngest():
                    _refuse_transaction(command.transaction_id)
                    if command.temporary:
                        self._sessions.require_own(session, "a temporary table is a session's, and")
                    answer = DoPutUpdateResult(ingest(command, stream, session, self._mesh.tables))
                case _:
                    raise InvalidMessage(f"{type(command).__name__} is asked for by GetFlightInfo")
            stream.acknowledge(write_message(answer))

    def _run(self, text: str, values: Mapping[str, pa.Scalar] | None, session: MeshSession, call: Call) -> Info:
        planned = session.workspace.statement(text, None, values)
        if isinstance(planned, pa.Table):
            return self._results.of_rows(planned)
        return self._results.run(session, session.stored(planned, text), Delivery.STREAMED, _route(call))

    def _listing(self, command: Metadata, data: bytes, session: MeshSession) -> Info:
        if len(data) <= TICKET_BYTES:
            return Info(metadata_schema(command), (Endpoint(data, None),), True)
        return self._results.of_rows(metadata_rows(command, session, self.prepared.seconds))

    def _prepare(self, body: bytes, session: MeshSession) -> bytes:
        asked: ActionCreatePreparedStatementRequest = read_wrapped(body, ActionCreatePreparedStatementRequest)
        _refuse_transaction(asked.transaction_id)
        parameters = session.workspace.parameters(asked.query)
        rows = _foreseen(asked.query, parameters, session)
        wanted = pa.schema([pa.field(name, pa.null()) for name in parameters])
        handle = self.prepared.add(PreparedStatement(asked.query, parameters))
        return wrapped(ActionCreatePreparedStatementResult(handle, _bytes_of(rows), _bytes_of(wanted)))

    def _close_prepared(self, body: bytes, session: MeshSession) -> bytes:
        asked: ActionClosePreparedStatementRequest = read_wrapped(body, ActionClosePreparedStatementRequest)
        self.prepared.close(asked.prepared_statement_handle)
        return b""

    def _cancel_info(self, body: bytes, session: MeshSession) -> bytes:
        asked = read_message(body, CancelFlightInfoRequest)
        return write_message(CancelFlightInfoResult(cancel_info(asked.info, self._mesh.driver)))

    def _cancel_query(self, body: bytes, session: MeshSession) -> bytes:
        asked: ActionCancelQueryRequest = read_wrapped(body, ActionCancelQueryRequest)
        info = read_message(asked.info, FlightInfo)
        return wrapped(ActionCancelQueryResult(cancel_info(info, self._mesh.driver)))


def _read_out(stream: InStream) -> None:
    """Lets a sender whose put is refused come to its end, within a bound: ADBC looks for the answer only when it has sent all
    of its rows, and tells of nothing but an `EOF` where the stream ended before."""
    read = 0
    for batch, _ in stream.batches:
        read += 0 if batch is None else batch.nbytes
        if read > READ_OUT_BYTES:
            return


def _update(text: str, values: Mapping[str, pa.Scalar] | None, session: MeshSession) -> int:
    """Carries out a statement that gives no rows; how many it changed."""
    if not isinstance(session.workspace.statement(text, None, values), pa.Table):
        raise InvalidQuery(
            "this statement is a query, and was sent as an update", hint="execute it as a query, and fetch its rows"
        )
    return UNKNOWN_COUNT


def _foreseen(text: str, parameters: tuple[str, ...], session: MeshSession) -> pa.Schema:
    """The columns that a statement will give, as far as they are known before its parameters have values: none, where it cannot
    be planned without."""
    try:
        return session.workspace.schema(text, None, _nulls(parameters))
    except InvalidQuery:
        if not parameters:
            raise
        return pa.schema([])


def _nulls(parameters: tuple[str, ...]) -> Mapping[str, None] | None:
    return dict.fromkeys(parameters) if parameters else None


def _bytes_of(schema: pa.Schema) -> bytes:
    """A schema as Arrow IPC; nothing for one without columns."""
    data: bytes = schema.serialize().to_pybytes() if len(schema) else b""
    return data


def _route(call: Call) -> Route:
    wanted = call.headers.get(RESULTS_HEADER, Route.WORKERS.value)
    try:
        return Route(wanted)
    except ValueError:
        known = " or ".join(route.value for route in Route)
        raise InvalidMessage(f"the header {RESULTS_HEADER} is {wanted[:40]!r}", hint=f"it is {known}") from None


def _refuse_transaction(transaction: bytes) -> None:
    if transaction:
        raise UnsupportedFeature("transactions are not supported", hint="leave autocommit on")

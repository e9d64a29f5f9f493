"""What ADBC does not send, by plain Flight calls: every listing with its schema, cancelling, sessions, refusals, garbage."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.flight as flight
import pytest

from flightmesh.errors import FlightmeshError
from flightmesh.protocol import flight_sql as messages
from flightmesh.protocol.protobuf import read_message, write_bytes, write_message
from flightmesh.protocol.tickets import TICKET_BYTES
from flightmesh.transport.flight_client import ClientConnection
from flightmesh.transport.service import Asked
from tests.flight_sql.conftest import NUMBERS
from tests.node.loopback import Client, Loopback, client_of, wait_until
from tests.protocol.garbage import garbage

LISTINGS = (
    messages.CommandGetCatalogs(),
    messages.CommandGetDbSchemas("memory", "%"),
    messages.CommandGetTables(table_types=("TABLE",)),
    messages.CommandGetTables(include_schema=True),
    messages.CommandGetTables(table_name_filter_pattern="%" * (TICKET_BYTES + 1)),
    messages.CommandGetTableTypes(),
    messages.CommandGetPrimaryKeys(),
    messages.CommandGetExportedKeys(),
    messages.CommandGetImportedKeys(),
    messages.CommandGetCrossReference(),
    messages.CommandGetSqlInfo(),
    messages.CommandGetSqlInfo((0, 8, 9999)),
    messages.CommandGetXdbcTypeInfo(),
    messages.CommandGetXdbcTypeInfo(93),
)
PREFIX = "type.googleapis.com/arrow.flight.protocol.sql."


@pytest.fixture
def client(mesh: Loopback) -> Iterator[Client]:
    with client_of(mesh) as opened:
        yield opened
    wait_until(mesh.is_idle, "the jobs are released")


def listed(client: Client, command: object) -> pa.Table:
    data = messages.wrapped(command)
    info = client.info(data)
    table = client.rows(info)
    assert table.schema == info.schema == client.connection.schema(Asked(command=data))
    table.validate(full=True)
    return table


@pytest.mark.parametrize("command", LISTINGS, ids=lambda command: type(command).__name__)
def test_listings_have_the_schema_that_is_told(client: Client, command: object) -> None:
    assert listed(client, command).num_columns


def test_what_listings_say(client: Client) -> None:
    known = dict(zip(*(column.to_pylist() for column in listed(client, messages.CommandGetSqlInfo()).columns), strict=True))
    assert known[0] == "flightmesh"
    assert known[3] is False
    assert known[100] == 1_800_000
    asked = listed(client, messages.CommandGetSqlInfo((8, 9999, 0)))
    assert asked["info_name"].to_pylist() == [8, 0]
    types = listed(client, messages.CommandGetXdbcTypeInfo())
    assert types["data_type"].to_pylist() == sorted(types["data_type"].to_pylist())
    assert listed(client, messages.CommandGetXdbcTypeInfo(4))["type_name"].to_pylist() == ["INTEGER"]
    tables = listed(client, messages.CommandGetTables(include_schema=True))
    assert [pa.ipc.read_schema(pa.py_buffer(data)) for data in tables["table_schema"].to_pylist()] == [NUMBERS.schema]
    assert listed(client, messages.CommandGetTables(db_schema_filter_pattern="")).num_rows == 0


def prepared(client: Client, text: str) -> messages.ActionCreatePreparedStatementResult:
    body = messages.wrapped(messages.ActionCreatePreparedStatementRequest(text))
    (answer,) = client.connection.action("CreatePreparedStatement", body)
    found: messages.ActionCreatePreparedStatementResult = messages.read_wrapped(
        answer, messages.ActionCreatePreparedStatementResult
    )
    return found


def test_a_prepared_statement_tells_its_columns_before_it_runs(client: Client) -> None:
    plain = prepared(client, "select a as b from numbers")
    assert pa.ipc.read_schema(pa.py_buffer(plain.dataset_schema)) == pa.schema([("b", pa.int64())])
    assert plain.parameter_schema == b""
    open_ = prepared(client, "select a as b from numbers where s like :t limit ?")
    assert pa.ipc.read_schema(pa.py_buffer(open_.dataset_schema)) == pa.schema([("b", pa.int64())])
    assert pa.ipc.read_schema(pa.py_buffer(open_.parameter_schema)).names == ["t", "1"]
    assert prepared(client, "create table x as select 1 as a").dataset_schema == b""
    assert prepared(client, "select * from read_parquet(?)").dataset_schema == b""
    with pytest.raises(FlightmeshError, match="no column 'c'"):
        prepared(client, "select c from numbers")
    command = Asked(command=messages.wrapped(messages.CommandPreparedStatementQuery(plain.prepared_statement_handle)))
    assert client.connection.schema(command) == pa.schema([("b", pa.int64())])
    client.connection.action(
        "ClosePreparedStatement",
        messages.wrapped(messages.ActionClosePreparedStatementRequest(plain.prepared_statement_handle)),
    )
    with pytest.raises(FlightmeshError, match="no such prepared statement"):
        client.connection.info(command)


@pytest.mark.parametrize("action", ["CancelFlightInfo", "CancelQuery"])
def test_cancelling_by_the_info(mesh: Loopback, client: Client, action: str) -> None:
    text = "select a.a from numbers a, numbers b, numbers c, numbers d, numbers e, numbers f"
    command = messages.wrapped(messages.CommandStatementQuery(text))
    with flight.connect(mesh.driver.client_uri) as plain:
        info = plain.get_flight_info(flight.FlightDescriptor.for_command(command))
    if action == "CancelQuery":
        body = messages.wrapped(messages.ActionCancelQueryRequest(info.serialize()))
        (answer,) = client.connection.action(action, body)
        assert messages.read_wrapped(answer, messages.ActionCancelQueryResult).result == 1
    else:
        (answer,) = client.connection.action(action, write_bytes(1, info.serialize()))
        assert read_message(answer, messages.CancelFlightInfoResult).status == 1
    wait_until(mesh.is_idle, "the job is over")
    (answer,) = client.connection.action("CancelFlightInfo", b"")
    assert read_message(answer, messages.CancelFlightInfoResult).status == 3


def test_a_session_is_closed_by_its_header(mesh: Loopback, client: Client) -> None:
    (answer,) = client.connection.action("CloseSession", b"")
    assert read_message(answer, messages.CloseSessionResult).status == 1
    assert client.connection.action("GetSessionOptions", b"") == [b""]
    opened = client.open()
    assert opened.session in mesh.service.sessions._sessions
    client.connection.action("CloseSession", b"")
    assert len(mesh.service.sessions) == 0
    with pytest.raises(FlightmeshError, match="this session has ended"):
        client.sql("select 1")


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("BeginTransaction", b"", "no action 'BeginTransaction'"),
        ("SetSessionOptions", b"", "no action 'SetSessionOptions'"),
        ("CreatePreparedSubstraitPlan", b"", "no action 'CreatePreparedSubstraitPlan'"),
        ("CreatePreparedStatement", b"", "ActionCreatePreparedStatementRequest is expected"),
        (
            "CreatePreparedStatement",
            messages.wrapped(messages.ActionCreatePreparedStatementRequest("select 1", b"t")),
            "transactions",
        ),
        ("CreatePreparedStatement", messages.wrapped(messages.ActionCreatePreparedStatementRequest("")), "no statement"),
        ("CancelFlightInfo", write_bytes(1, write_bytes(7, b"x")), "AskJob"),
    ],
    ids=str,
)
def test_actions_that_are_refused(client: Client, name: str, body: bytes, reason: str) -> None:
    with pytest.raises(FlightmeshError, match=reason):
        client.connection.action(name, body)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (messages.CommandStatementQuery("select 1", b"t"), "transactions"),
        (messages.CommandStatementUpdate("drop table numbers"), "goes by DoPut"),
        (messages.CommandPreparedStatementQuery(b"guessed"), "no such prepared statement"),
        (messages.CommandStatementIngest(table="x"), "goes by DoPut"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_infos_that_are_refused(client: Client, command: object, reason: str) -> None:
    with pytest.raises(FlightmeshError, match=reason):
        client.info(messages.wrapped(command))


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (messages.CommandStatementIngest(), "names no table"),
        (messages.CommandStatementIngest(table="x"), "does not say what to do"),
        (messages.CommandPreparedStatementUpdate(b"guessed"), "no such prepared statement"),
        (messages.CommandGetCatalogs(), "GetFlightInfo"),
        (messages.CommandStatementUpdate("drop table nowhere"), "nowhere"),
    ],
    ids=lambda part: type(part).__name__,
)
def test_puts_that_are_refused(client: Client, command: object, reason: str) -> None:
    with pytest.raises(FlightmeshError, match=reason):
        client.upload(Asked(command=messages.wrapped(command)), NUMBERS)


def test_an_update_takes_values_that_were_bound_before(client: Client) -> None:
    handle = prepared(client, "create table made as select a from numbers where a > ?").prepared_statement_handle
    bind = messages.wrapped(messages.CommandPreparedStatementQuery(handle))
    update = messages.wrapped(messages.CommandPreparedStatementUpdate(handle))
    with pytest.raises(FlightmeshError, match="has no value"):
        _put_nothing(client, update)
    client.upload(Asked(command=bind), pa.table({"": [2]}))
    assert read_message(_put_nothing(client, update), messages.DoPutUpdateResult).record_count == -1
    assert client.sql("select a from made").to_pylist() == [{"a": 3}]
    _put_nothing(client, messages.wrapped(messages.CommandStatementUpdate("drop table made")))
    with pytest.raises(FlightmeshError, match="none came"):
        _put_nothing(client, bind)


def _put_nothing(client: Client, command: bytes) -> bytes:
    """The answer to a put without rows and columns."""
    stream = client.connection.put(Asked(command=command), pa.schema([]))
    stream.finish()
    answer = stream.acknowledged()
    assert answer is not None
    return answer


def test_a_command_is_not_a_ticket(client: Client) -> None:
    with pytest.raises(FlightmeshError, match="is no ticket"):
        _drained(client.connection, messages.wrapped(messages.CommandStatementQuery("select 1")))


def test_a_substrait_plan_is_refused_by_name(client: Client) -> None:
    data = write_bytes(1, f"{PREFIX}CommandStatementSubstraitPlan".encode())
    with pytest.raises(FlightmeshError, match="does not understand Flight SQL's CommandStatementSubstraitPlan"):
        client.info(data)


def test_garbage_never_ends_the_driver(mesh: Loopback, client: Client) -> None:
    chance = random.Random(11)
    commands = [
        *LISTINGS,
        messages.CommandStatementQuery("select a from numbers limit 1"),
        messages.CommandPreparedStatementQuery(b"0" * 32),
        messages.CommandStatementUpdate("select 1"),
        messages.CommandPreparedStatementUpdate(b"0" * 32),
        messages.CommandStatementIngest(messages.TableDefinitionOptions(1, 1), "garbage"),
    ]
    connection = client.connection
    answered = 0
    for _ in range(400):
        name, value = type(command := chance.choice(commands)).__name__, write_message(command)
        data = write_bytes(1, f"{PREFIX}{name}".encode()) + write_bytes(2, garbage(chance, value))
        action = chance.choice(["CreatePreparedStatement", "ClosePreparedStatement", "CancelFlightInfo", "CancelQuery"])
        answered += _answered(lambda data=data: connection.info(Asked(command=data)))
        answered += _answered(lambda data=data: connection.schema(Asked(command=data)))
        answered += _answered(lambda data=data: _drained(connection, data))
        answered += _answered(lambda data=data: client.upload(Asked(command=data), NUMBERS.slice(0, 1)))
        answered += _answered(lambda data=data, action=action: connection.action(action, data))
    assert 0 < answered < 2000
    assert client.sql("select max(a) as top from numbers").to_pylist() == [{"top": 3}]


def _drained(connection: ClientConnection, ticket: bytes) -> None:
    stream = connection.get(None, ticket)
    while stream.next() is not None:
        pass


def _answered(call: Callable[[], object]) -> bool:
    """Whether a call was answered; if not, it was refused by an error that is no bug."""
    try:
        call()
    except FlightmeshError as error:
        assert error.code != "internal_error", error.render()
        return False
    return True

"""The messages of Arrow Flight SQL that a driver understands, and their wrapping.

Handed the bytes of a descriptor, a ticket or an action's body; hands on the message in them. What always holds: names and
numbers of fields are those of Apache's FlightSql.proto and Flight.proto; a message of Flight SQL that is not in this file
raises UnsupportedFeature with its name.

The protocol: https://arrow.apache.org/docs/format/FlightSql.html
"""

from __future__ import annotations

from typing import Any, TypeAlias, TypeGuard

from flightmesh.dataclass import dataclass
from flightmesh.errors import UnsupportedFeature
from flightmesh.protocol.protobuf import (
    DATA,
    FLAG,
    NUMBER,
    NUMBERS,
    OPTIONAL_NUMBER,
    OPTIONAL_TEXT,
    TEXT,
    TEXTS,
    message_of,
    read_message,
    wire,
    write_message,
)

_PREFIX = b"type.googleapis.com/arrow.flight.protocol.sql."


@dataclass(frozen=True, slots=True)
class Wrapping:
    """google.protobuf.Any: a message and its name."""

    type_url: str = wire(1, TEXT)
    value: bytes = wire(2, DATA)


@dataclass(frozen=True, slots=True)
class CommandStatementQuery:
    """A query to be run."""

    query: str = wire(1, TEXT)
    transaction_id: bytes = wire(2, DATA)


@dataclass(frozen=True, slots=True)
class CommandPreparedStatementQuery:
    """A prepared query, to be run; with rows by DoPut: values for its parameters."""

    prepared_statement_handle: bytes = wire(1, DATA)


@dataclass(frozen=True, slots=True)
class CommandStatementUpdate:
    """A statement that gives no rows."""

    query: str = wire(1, TEXT)
    transaction_id: bytes = wire(2, DATA)


@dataclass(frozen=True, slots=True)
class CommandPreparedStatementUpdate:
    """A prepared statement that gives no rows; the put's own rows are values for its parameters."""

    prepared_statement_handle: bytes = wire(1, DATA)


@dataclass(frozen=True, slots=True)
class TableDefinitionOptions:
    """What an ingest does where there is no such table (1: create it, 2: fail), and where there is one (1: fail, 2: append,
    3: replace it)."""

    if_not_exist: int = wire(1, NUMBER)
    if_exists: int = wire(2, NUMBER)


_TABLE_DEFINITION = message_of(TableDefinitionOptions)


@dataclass(frozen=True, slots=True)
class CommandStatementIngest:
    """The rows of this put become rows of a table."""

    table_definition_options: TableDefinitionOptions | None = wire(1, _TABLE_DEFINITION)
    table: str = wire(2, TEXT)
    schema: str | None = wire(3, OPTIONAL_TEXT)
    catalog: str | None = wire(4, OPTIONAL_TEXT)
    temporary: bool = wire(5, FLAG)
    transaction_id: bytes = wire(6, DATA)


@dataclass(frozen=True, slots=True)
class CommandGetCatalogs:
    """The names of catalogs."""


@dataclass(frozen=True, slots=True)
class CommandGetDbSchemas:
    """The names of schemas. Patterns have `%` and `_`; catalogs are named exactly."""

    catalog: str | None = wire(1, OPTIONAL_TEXT)
    db_schema_filter_pattern: str | None = wire(2, OPTIONAL_TEXT)


@dataclass(frozen=True, slots=True)
class CommandGetTables:
    """Tables and views."""

    catalog: str | None = wire(1, OPTIONAL_TEXT)
    db_schema_filter_pattern: str | None = wire(2, OPTIONAL_TEXT)
    table_name_filter_pattern: str | None = wire(3, OPTIONAL_TEXT)
    table_types: tuple[str, ...] = wire(4, TEXTS)
    include_schema: bool = wire(5, FLAG)


@dataclass(frozen=True, slots=True)
class CommandGetTableTypes:
    """The kinds of tables that there are."""


@dataclass(frozen=True, slots=True)
class CommandGetPrimaryKeys:
    """Primary keys: there are none."""


@dataclass(frozen=True, slots=True)
class CommandGetExportedKeys:
    """Foreign keys that point at a table: there are none."""


@dataclass(frozen=True, slots=True)
class CommandGetImportedKeys:
    """Foreign keys of a table: there are none."""


@dataclass(frozen=True, slots=True)
class CommandGetCrossReference:
    """Foreign keys from one table to another: there are none."""


@dataclass(frozen=True, slots=True)
class CommandGetSqlInfo:
    """What the server can; all of it, or the numbers named."""

    info: tuple[int, ...] = wire(1, NUMBERS)


@dataclass(frozen=True, slots=True)
class CommandGetXdbcTypeInfo:
    """The types of columns; all of them, or those of one JDBC number."""

    data_type: int | None = wire(1, OPTIONAL_NUMBER)


Metadata: TypeAlias = (
    CommandGetCatalogs
    | CommandGetDbSchemas
    | CommandGetTables
    | CommandGetTableTypes
    | CommandGetPrimaryKeys
    | CommandGetExportedKeys
    | CommandGetImportedKeys
    | CommandGetCrossReference
    | CommandGetSqlInfo
    | CommandGetXdbcTypeInfo
)
Command: TypeAlias = (
    CommandStatementQuery
    | CommandPreparedStatementQuery
    | CommandStatementUpdate
    | CommandPreparedStatementUpdate
    | CommandStatementIngest
    | Metadata
)


@dataclass(frozen=True, slots=True)
class ActionCreatePreparedStatementRequest:
    """A statement to be prepared."""

    query: str = wire(1, TEXT)
    transaction_id: bytes = wire(2, DATA)


@dataclass(frozen=True, slots=True)
class ActionCreatePreparedStatementResult:
    """Its handle, and the schemas of its rows and its parameters (Arrow IPC)."""

    prepared_statement_handle: bytes = wire(1, DATA)
    dataset_schema: bytes = wire(2, DATA)
    parameter_schema: bytes = wire(3, DATA)


@dataclass(frozen=True, slots=True)
class ActionClosePreparedStatementRequest:
    """A prepared statement that is not needed any more."""

    prepared_statement_handle: bytes = wire(1, DATA)


@dataclass(frozen=True, slots=True)
class ActionCancelQueryRequest:
    """A query to be ended: its flight info. The older way of CancelFlightInfo."""

    info: bytes = wire(1, DATA)


@dataclass(frozen=True, slots=True)
class ActionCancelQueryResult:
    """1: it is cancelled, 3: it cannot be."""

    result: int = wire(1, NUMBER)


@dataclass(frozen=True, slots=True)
class DoPutUpdateResult:
    """How many rows a statement changed; -1: that is not known."""

    record_count: int = wire(1, NUMBER)


@dataclass(frozen=True, slots=True)
class DoPutPreparedStatementResult:
    """The handle to go on with."""

    prepared_statement_handle: bytes = wire(1, DATA)


@dataclass(frozen=True, slots=True)
class FlightInfo:
    """Of a Flight info only what names its job."""

    app_metadata: bytes = wire(7, DATA)


_FLIGHT_INFO = message_of(FlightInfo)


@dataclass(frozen=True, slots=True)
class CancelFlightInfoRequest:
    """A query to be ended."""

    info: FlightInfo | None = wire(1, _FLIGHT_INFO)


@dataclass(frozen=True, slots=True)
class CancelFlightInfoResult:
    """1: it is cancelled, 3: it cannot be."""

    status: int = wire(1, NUMBER)


@dataclass(frozen=True, slots=True)
class CloseSessionResult:
    """1: it is closed."""

    status: int = wire(1, NUMBER)


_COMMANDS: dict[str, type[Command]] = {
    kind.__name__: kind
    for kind in (
        CommandStatementQuery,
        CommandPreparedStatementQuery,
        CommandStatementUpdate,
        CommandPreparedStatementUpdate,
        CommandStatementIngest,
        CommandGetCatalogs,
        CommandGetDbSchemas,
        CommandGetTables,
        CommandGetTableTypes,
        CommandGetPrimaryKeys,
        CommandGetExportedKeys,
        CommandGetImportedKeys,
        CommandGetCrossReference,
        CommandGetSqlInfo,
        CommandGetXdbcTypeInfo,
    )
}


def is_command(data: bytes | None) -> TypeGuard[bytes]:
    """Whether a descriptor's command or a ticket is one of Flight SQL: an Any, which begins with the name of its message. No
    text, no map and no signed ticket begins that way."""
    return data is not None and data[:1] == b"\n" and data[2 : 2 + len(_PREFIX)] == _PREFIX


def read_command(data: bytes) -> Command:
    """The command in an Any. Raises InvalidMessage, UnsupportedFeature for one that is not known here."""
    name, value = _unwrapped(data)
    kind = _COMMANDS.get(name)
    if kind is None:
        raise UnsupportedFeature(
            f"this driver does not understand Flight SQL's {name[:80]}", hint="docs/flight-sql.md lists what it does"
        )
    return read_message(value, kind)


def read_wrapped(data: bytes, kind: type[Any]) -> Any:
    """A message of a known class in an Any. Raises InvalidMessage for another."""
    name, value = _unwrapped(data)
    if name != kind.__name__:
        raise UnsupportedFeature(f"{kind.__name__} is expected here, not {name[:80]!r}")
    return read_message(value, kind)


def wrapped(message: object) -> bytes:
    """The bytes of an Any with a message of Flight SQL."""
    return write_message(Wrapping(f"{_PREFIX.decode()}{type(message).__name__}", write_message(message)))


def _unwrapped(data: bytes) -> tuple[str, bytes]:
    found = read_message(data, Wrapping)
    return found.type_url.rpartition("/")[2].removeprefix("arrow.flight.protocol.sql."), found.value

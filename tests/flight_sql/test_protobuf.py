"""Messages of Flight SQL as bytes: golden ones that Apache's libraries write too, and what is no message."""

from __future__ import annotations

import random
from collections.abc import Callable

import pyarrow.flight as flight
import pytest

from flightmesh.errors import InvalidMessage, UnsupportedFeature
from flightmesh.protocol import flight_sql as messages
from flightmesh.protocol.protobuf import MOST_FIELDS, read_fields, read_message, varint, write_bytes, write_message
from tests.protocol.garbage import garbage

PREFIX = "type.googleapis.com/arrow.flight.protocol.sql."
GOLDEN = (
    (messages.CommandStatementQuery("SELECT 1"), "0a0853454c4543542031"),
    (messages.CommandGetTables("", None, "t%", ("TABLE", "VIEW"), True), "0a001a02742522055441424c45220456494557" + "2801"),
    (messages.CommandGetSqlInfo((0, 300)), "0a0300ac02"),
    (messages.CommandGetXdbcTypeInfo(-5), "08fbffffffffffffffff01"),
    (messages.CommandGetXdbcTypeInfo(0), "0800"),
    (messages.CommandGetXdbcTypeInfo(), ""),
    (messages.DoPutUpdateResult(-1), "08ffffffffffffffffff01"),
    (
        messages.CommandStatementIngest(messages.TableDefinitionOptions(1, 3), "t", temporary=True),
        "0a0408011003" + "120174" + "2801",
    ),
    (messages.CancelFlightInfoResult(1), "0801"),
)


@pytest.mark.parametrize(("message", "data"), GOLDEN, ids=lambda part: type(part).__name__ if not isinstance(part, str) else "")
def test_golden_bytes(message: object, data: str) -> None:
    assert write_message(message).hex() == data
    assert read_message(bytes.fromhex(data), type(message)) == message


def test_a_command_is_wrapped_with_its_name() -> None:
    data = messages.wrapped(messages.CommandGetCatalogs())
    name = f"{PREFIX}CommandGetCatalogs".encode()
    assert data == b"\n" + bytes([len(name)]) + name
    assert messages.is_command(data)
    assert messages.read_command(data) == messages.CommandGetCatalogs()


@pytest.mark.parametrize("data", [None, b"", b"\n", b"SELECT 1", b"\nSELECT 1", b"\x81\xa3sql\xa1x", b"\n\x05hello"])
def test_what_is_no_command(data: bytes | None) -> None:
    assert not messages.is_command(data)


def test_a_flight_info_of_arrow_names_its_job() -> None:
    info = flight.FlightInfo(None, flight.FlightDescriptor.for_command(b"x"), [], 5, 6, True, b"job")
    assert read_message(info.serialize(), messages.FlightInfo) == messages.FlightInfo(b"job")


def test_unknown_fields_are_passed_over_and_the_last_value_counts() -> None:
    strange = (
        varint(9 << 3) + varint(7) + varint(10 << 3 | 1) + b"8" * 8 + varint(11 << 3 | 5) + b"four" + write_bytes(12, b"x")
    )
    data = write_bytes(1, b"a") + strange + write_bytes(1, b"b")
    assert read_message(data, messages.CommandStatementQuery) == messages.CommandStatementQuery("b")


def test_numbers_come_packed_or_one_by_one() -> None:
    assert read_message(b"\x08\x01\x08\x02\x0a\x02\x03\x04", messages.CommandGetSqlInfo).info == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x0a\x05ab", "5 bytes has 2"),
        (b"\x0a", "in the middle of a number"),
        (b"\x08" + b"\xff" * 11, "more than 10 bytes"),
        (b"\x0b", "wire type 3"),
        (b"\x02\x00", "number 0"),
        (b"\x08\x01", "a number stands where bytes are expected"),
        (b"\x0a\x01\xff", "not UTF-8"),
        (b"\x50\x00" * (MOST_FIELDS + 1), "more than 10,000 parts"),
    ],
)
def test_bytes_that_are_no_message(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidMessage, match=reason):
        read_message(data, messages.CommandStatementQuery)


def test_too_many_packed_numbers() -> None:
    with pytest.raises(InvalidMessage, match="parts"):
        read_message(write_bytes(1, b"\0" * (MOST_FIELDS + 1)), messages.CommandGetSqlInfo)


def test_an_unknown_command_is_refused_by_its_name() -> None:
    data = write_bytes(1, f"{PREFIX}CommandStatementSubstraitPlan".encode())
    with pytest.raises(UnsupportedFeature, match="CommandStatementSubstraitPlan"):
        messages.read_command(data)


def is_refused(read: Callable[..., object], *args: object) -> bool:
    try:
        read(*args)
    except (InvalidMessage, UnsupportedFeature):
        return True
    return False


def test_garbage_is_refused_or_read() -> None:
    chance = random.Random(7)
    refused = 0
    for _ in range(20_000):
        message, data = chance.choice(GOLDEN)
        wrapped = messages.wrapped(message)
        refused += is_refused(read_message, garbage(chance, bytes.fromhex(data)), type(message))
        refused += is_refused(messages.read_command, garbage(chance, wrapped))
        refused += is_refused(lambda noise: list(read_fields(noise)), chance.randbytes(chance.randrange(40)))
    assert refused > 20_000

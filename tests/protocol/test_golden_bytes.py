"""docs/flight.md is what the messages are: every map is in it, with its fields, and its bytes are those that we write and read.

`pytest tests/protocol --update-goldens` writes types, defaults and bytes anew (never what a field means); a change of bytes
that older nodes would misread raises PROTOCOL_VERSION."""

from __future__ import annotations

import re
from typing import get_args

import msgpack
import pytest

from flightmesh.errors import from_wire
from flightmesh.ids import AttemptId, JobId, StageId, TaskId
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.frames import EntryKind, Frame, pack_end, pack_frame, read_end, read_frame
from flightmesh.protocol.messages import DriverMessage, WorkerMessage
from flightmesh.protocol.node_messages import PROTOCOL_VERSION
from flightmesh.protocol.tickets import Ticket, read_ticket, sign
from tests.protocol.examples import EXAMPLES, TICKETS, WIRE_ERROR, Example
from tests.protocol.wire_document import DOCUMENT, UNKNOWN, golden_bytes, meanings, renewed

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def text() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def test_the_document_is_up_to_date(update_goldens: bool) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    if update_goldens:
        text = renewed(text)
        DOCUMENT.write_text(text, encoding="utf-8")
    assert renewed(text) == text, "run the test with --update-goldens, read what changed, and say what new fields mean"
    assert [meaning for meaning in meanings(text) if not meaning.strip() or UNKNOWN in meaning] == []


def test_every_map_that_crosses_a_wire_is_in_it(text: str) -> None:
    assert sorted(golden_bytes(text)) == sorted(example.name for example in EXAMPLES)
    named = {example.name for example in EXAMPLES}
    for union in (WorkerMessage, DriverMessage, Ticket):
        assert {member.__name__ for member in get_args(union)} <= named


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_golden_bytes(example: Example, text: str) -> None:
    data = golden_bytes(text)[example.name]
    assert decode(data, example.union or type(example.value)) == example.value
    assert encode(example.value, example.union) == data
    assert isinstance(msgpack.unpackb(data), dict)


def shown(text: str, title: str) -> bytes:
    """The bytes under `title` that belong to no map."""
    found = re.search(rf"^{re.escape(title)}\n\n((?:    [0-9a-f]+\n)+)", text, re.MULTILINE)
    assert found is not None, title
    return bytes.fromhex("".join(found[1].split()))


def test_the_bytes_of_an_error(text: str) -> None:
    data = shown(text, "An `invalid_query` at line 2, column 8:")
    assert msgpack.packb(WIRE_ERROR) == data
    error = from_wire(msgpack.unpackb(data))
    assert error.to_wire() == WIRE_ERROR
    assert "       ^" in error.render()


def test_the_bytes_of_a_signed_ticket(text: str) -> None:
    data = shown(text, "The ResultTicket above, signed with the key of the 32 bytes 00, 01, ... 1f:")
    assert sign(TICKETS[0].value, KEY) == data
    assert read_ticket(data, KEY) == TICKETS[0].value


def test_the_bytes_of_frames(text: str) -> None:
    frame = Frame(EntryKind.DATA, AttemptId(TaskId(JobId(7), StageId(1), 3), 0), 5)
    data = shown(text, "A DATA frame, the entry number 5 of task 3 of stage 1 of job 7, attempt 0:")
    assert pack_frame(frame) == data
    assert read_frame(data) == frame
    end = shown(text, "The END of a stream of 6 entries whose sender waited 1000 ns for credit:")
    assert pack_end(6, 1000) == end
    assert read_end(end)[1] == 1000


def test_the_version_is_said(text: str) -> None:
    assert f"protocol version {PROTOCOL_VERSION}" in text

"""Errors across a wire: typed, whole where they fit, cut where they do not, and never with a traceback."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Iterable
from pathlib import Path

import msgpack
import pyarrow as pa
import pyarrow.flight as flight
import pytest

from flightmesh import errors
from flightmesh.errors import FlightmeshError, InternalError, InvalidQuery, Position
from flightmesh.transport.flight_client import ClientConnection
from flightmesh.transport.flight_errors import from_call, to_flight
from flightmesh.transport.service import Asked, Call, OutStream
from tests.protocol.examples import WIRE_ERROR
from tests.protocol.garbage import garbage
from tests.transport.serving import NUMBERS, Told, calling, rows, served


def every_class(root: type[FlightmeshError] = FlightmeshError) -> list[type[FlightmeshError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in every_class(child))]


def raising(error: BaseException) -> Told:
    def act(body: bytes, call: Call) -> Iterable[bytes]:
        raise error

    return Told(acts={"fail": act})


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: kind.__name__)
def test_every_error_arrives_as_what_it_was(kind: type[FlightmeshError]) -> None:
    sent = kind("it went wrong", hint="try this", position=Position(2, 3, 4, "q.sql"), text="one\nsecond line")
    with served(raising(sent)) as node, calling() as peers:
        with pytest.raises(FlightmeshError) as caught:
            peers.call(node.uri, "fail", b"", 5)
        assert type(caught.value) is kind
        assert caught.value.to_wire() == sent.to_wire()


@pytest.mark.parametrize("message", ["m" * 20_000, "ü" * 20_000, "\n" * 9000 + "x", "line\n" * 5000, '"\\%\x00\x7f' * 3000, ""])
def test_texts_of_any_size_and_kind_cross(message: str) -> None:
    sent = InvalidQuery(message, hint=message, position=Position(400, 1), text=f"select {message}\n" * 500)
    with served(raising(sent)) as node, calling() as peers:
        with pytest.raises(FlightmeshError) as caught:
            peers.call(node.uri, "fail", b"", 5)
        assert type(caught.value) is InvalidQuery
        assert caught.value.message[:100] == message[:100]
        assert caught.value.position == Position(400, 1)


def test_of_a_long_query_the_line_in_question_is_kept() -> None:
    text = "\n".join(f"select {n} from t" for n in range(200))
    sent = InvalidQuery("no column x", position=Position(50, 8), text=text)
    with served(raising(sent)) as node, calling() as peers:
        with pytest.raises(InvalidQuery) as caught:
            peers.call(node.uri, "fail", b"", 5)
        assert caught.value.render() == sent.render()


@pytest.mark.parametrize("place", ["action", "get", "rows", "put", "info"])
def test_a_bug_crosses_as_an_internal_error_without_its_traceback(place: str, caplog: pytest.LogCaptureFixture) -> None:
    def bug(*_: object) -> Iterable[bytes]:
        raise ValueError("secret_function gave\nup")

    def late() -> Iterable[tuple[object, bytes]]:
        yield rows(0), b""
        bug()

    closed: list[str] = []
    gets = bug if place == "get" else lambda ticket, call: OutStream(NUMBERS, iter(late()), lambda: closed.append("yes"))  # type: ignore[arg-type]
    service = Told(acts={"fail": bug}, gets=gets, puts=bug)  # type: ignore[arg-type]
    if place == "info":
        service.info = bug  # type: ignore[method-assign,assignment]
    with served(service) as node:
        client = flight.connect(node.uri)
        with pytest.raises(flight.FlightError) as caught, caplog.at_level(logging.CRITICAL):
            _provoke(client, place)
        client.close()
    body = msgpack.unpackb(caught.value.extra_info)
    assert body["code"] == InternalError.code
    assert body["message"] == "ValueError: secret_function gave"
    for text in (str(caught.value), repr(body)):
        assert "Traceback" not in text
        assert ".py" not in text
    assert isinstance(caught.value, flight.FlightInternalError)
    if place == "rows":
        assert closed == ["yes"]


def _provoke(client: flight.FlightClient, place: str) -> None:
    if place == "action":
        list(client.do_action(flight.Action("fail", b"")))
    elif place == "put":
        writer, reader = client.do_put(flight.FlightDescriptor.for_command(b"x"), NUMBERS)
        reader.read()
        writer.close()
    elif place == "info":
        client.get_flight_info(flight.FlightDescriptor.for_command(b"x"))
    else:
        stream = client.do_get(flight.Ticket(b"x"))
        while stream.read_chunk() is not None:
            pass


def test_a_peer_whose_errors_make_no_sense() -> None:
    chance = random.Random(3)
    extra = bytes(msgpack.packb(WIRE_ERROR))
    for _ in range(3000):
        error = from_call(flight.FlightServerError("m", extra_info=garbage(chance, extra)), "grpc://peer")
        assert error.render()
        assert error.to_wire()["code"]


def test_answers_that_are_none_are_bugs_without_a_traceback() -> None:
    """What a service gives is checked before pyarrow looks at it, whose own complaints bring tracebacks."""
    other = pa.record_batch({"m": pa.array(["x"])})
    service = Told(
        acts={"text": lambda body, call: ["no bytes"]},  # type: ignore[list-item,return-value]
        gets=lambda ticket, call: OutStream(NUMBERS, iter([(other, b"")]), lambda: None),
    )
    with served(service) as node, calling() as peers:
        for ask in (lambda: peers.call(node.uri, "text", b"", 5), peers.get(node.uri, b"t").next):
            with pytest.raises(InternalError) as caught:
                ask()
            assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("error", [InvalidQuery("no such column", hint="h"), ValueError("secret\nline")], ids=["typed", "bug"])
def test_get_schema_tells_no_more_than_the_others(error: Exception) -> None:
    """pyarrow's server would send the traceback of what this method raises."""

    def schema(asked: Asked, call: Call) -> pa.Schema:
        raise error

    service = Told()
    service.schema = schema  # type: ignore[method-assign]
    with served(service) as node:
        plain = flight.connect(node.uri)
        with pytest.raises(pa.ArrowException) as caught:
            plain.get_schema(flight.FlightDescriptor.for_command(b"x"))
        assert str(error).splitlines()[0] in str(caught.value)
        assert "Traceback" not in str(caught.value)
        assert ".py" not in str(caught.value)
        client = ClientConnection(node.uri)
        with pytest.raises(InvalidQuery if isinstance(error, InvalidQuery) else InternalError) as typed:
            client.schema(Asked(command=b"x"))
        assert typed.value.hint == ("h" if isinstance(error, InvalidQuery) else "please report this")
        plain.close()
        client.close()


def test_what_is_worth_a_retry_is_unavailable_to_plain_flight() -> None:
    retryable = [kind for kind in every_class() if kind.retryable and kind is not errors.InputChanged]
    assert {type(to_flight(kind("x"))) for kind in retryable} == {flight.FlightUnavailableError}


def test_the_document_names_every_error() -> None:
    text = (Path(__file__).parents[2] / "docs" / "flight.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (Flight\w+) \| (yes|no) \| ", text, re.MULTILINE)
    kinds = [kind for kind in every_class() if kind is not FlightmeshError and kind.__module__ == errors.__name__]
    told = [(kind.code, type(to_flight(kind("x"))).__name__, "yes" if kind.retryable else "no") for kind in kinds]
    assert sorted(rows) == sorted(told)


def test_a_cancelled_job_does_not_interrupt_a_plain_client() -> None:
    """pyarrow's read_all turns FlightCancelledError into a KeyboardInterrupt of the whole process."""
    assert not isinstance(to_flight(errors.Cancelled("stop")), flight.FlightCancelledError)

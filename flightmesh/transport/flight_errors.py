"""FlightmeshErrors as Flight errors, and back.

Handed an error of ours; hands on the Flight error that carries it: a class that fits, message, place and hint in words, and
`to_wire` as msgpack in its extra info. Handed what a Flight call raised; hands on a FlightmeshError. What always holds: no
traceback text goes out, and no error that comes in is kept (it would hold the memory of its call). All of it stays under 7 KiB,
since gRPC carries errors in headers and drops larger ones: long texts are cut.
"""

from __future__ import annotations

import re
from typing import Any, cast

import msgpack
import pyarrow as pa
import pyarrow.flight as flight

from flightmesh.errors import (
    Fenced,
    FlightmeshError,
    InternalError,
    InvalidTicket,
    NodeRefused,
    NodeSilent,
    NodeUnavailable,
    NotAllowed,
    NotTrusted,
    ResourceExhausted,
    ResultMoved,
    StreamBroken,
    Unauthenticated,
    UnsupportedFeature,
    WorkerLost,
    from_wire,
)

FLIGHT_FAILURES = (flight.FlightError, pa.ArrowException, OSError)
"""What pyarrow raises for a call that went wrong."""

_HEADLINE = 200
_WORDS = 700
_WORDS_ENCODED = 1000
_MESSAGE = 1600
_HINT = 400
_EXCERPT = 1000
_UNAVAILABLE = (NodeUnavailable, WorkerLost, StreamBroken, ResultMoved, ResourceExhausted)
_PREAMBLE = re.compile(r"^Flight returned [\w ]+ error, with message: ")
_NOT_CONNECTED = "failed to connect"
_REFUSED = ("connection refused", "connect failed", "no route to host", "name resolution", "dns resolution")


_UNTRUSTED = (
    ("is not in peer certificate", "has a certificate for another name"),
    ("certificate has expired", "has a certificate that has expired"),
    ("certificate is not yet valid", "has a certificate that is not good yet"),
    ("wrong version number", "does not speak TLS"),
    ("certificate signature failure", "has a certificate that this mesh did not make"),
    ("certificate verify failed", "has a certificate that this mesh did not make"),
    ("certificate_verify_failed", "has a certificate that this mesh did not make"),
    ("ssl handshake failed", "did not get through the TLS handshake"),
)
"""What gRPC says when a server cannot show who it is, and what that means."""
_UNTRUSTED_HINT = "another mesh, a wrong address, or somebody in the middle; clocks that differ by hours do that, too"
_CLOSED_HINT = "does it ask for TLS, or for a certificate that is good? (grpc+tls://HOST:PORT and a token)"


def to_flight(error: FlightmeshError) -> flight.FlightError:
    """The Flight error that carries `error`. Cancelled is no FlightCancelledError: that would interrupt a reader's process."""
    return _class_of(error)(_in_words(error), extra_info=msgpack.packb(_fitting(error.to_wire())))


def _in_words(error: FlightmeshError) -> str:
    """What clients show that cannot read the extra info: all of it where it fits, else without the line of the query."""
    whole = error.render() or error.code
    if _fits(whole):
        return whole
    place = "" if error.position is None else f" (at {error.position})"
    hint = f"\nhint: {error.hint}" if error.hint else ""
    lines = error.message.splitlines() or [error.code]
    short = f"{_cut(lines[0], _HEADLINE)}{place}{hint}"
    return short if _fits(short) else _cut(short, _HEADLINE)


def _fits(text: str) -> bool:
    """Whether gRPC carries a text beside the extra info: signs beyond plain ASCII take three times their bytes."""
    data = text.encode()
    return len(data) <= _WORDS and sum(1 if 0x20 <= byte < 0x7F and byte != 0x25 else 3 for byte in data) <= _WORDS_ENCODED


def _class_of(error: FlightmeshError) -> Any:
    if isinstance(error, _UNAVAILABLE):
        return flight.FlightUnavailableError
    if isinstance(error, (NotAllowed, InvalidTicket)):
        return flight.FlightUnauthorizedError
    if isinstance(error, (Fenced, Unauthenticated)):
        return flight.FlightUnauthenticatedError
    if isinstance(error, InternalError):
        return flight.FlightInternalError
    return flight.FlightServerError


def _fitting(body: dict[str, Any]) -> dict[str, Any]:
    """The map with long texts cut; of the query's text only the line that the position names."""
    body["message"] = _cut(body["message"], _MESSAGE)
    if body["hint"] is not None:
        body["hint"] = _cut(body["hint"], _HINT)
    if body["text"] is not None:
        body["text"] = _excerpt(body["text"], body["position"])
    return body


def _excerpt(text: str, position: list[Any] | None) -> str | None:
    if len(text.encode()) <= _EXCERPT:
        return text
    lines = text.splitlines()
    if position is None or not 1 <= position[0] <= len(lines):
        return None
    named = "\n" * (position[0] - 1) + cast(str, lines[position[0] - 1])
    return named if len(named.encode()) <= _EXCERPT else None


def _cut(text: str, size: int) -> str:
    data = text.encode()
    return text if len(data) <= size else data[: size - 4].decode(errors="ignore") + " ..."


def from_call(error: BaseException, address: str) -> FlightmeshError:
    """What a call of `address` ran into: the peer's own error; NodeRefused when nobody listens there; NodeSilent when there
    was no answer in time; NodeUnavailable when the connection broke."""
    typed = _carried(error)
    if typed is not None:
        return typed
    if isinstance(error, flight.FlightTimedOutError):
        return NodeSilent(f"{address} did not answer in time")
    reason = _first_line(error)
    if _is_unavailable(error):
        untrusted = next((why for sign, why in _UNTRUSTED if sign in str(error).lower()), None)
        if untrusted is not None:
            return NotTrusted(f"whoever answers at {address} {untrusted}", hint=_UNTRUSTED_HINT)
        if any(sign in reason.lower() for sign in _REFUSED):
            return NodeRefused(f"nobody listens at {address}", hint="is the node running, and is this its address?")
        if "timed out" in reason.lower():
            return NodeSilent(f"{address} did not answer in time")
        hint = _CLOSED_HINT if "socket closed" in reason.lower() else None
        return NodeUnavailable(f"the connection to {address} broke: {reason}", hint=hint)
    if isinstance(error, pa.ArrowCancelled):
        return NodeUnavailable(f"{address} ended the call")
    if isinstance(error, pa.ArrowNotImplementedError):
        return UnsupportedFeature(f"{address} does not offer this: {reason}")
    return InternalError(f"a call of {address} failed: {reason}")


def _is_unavailable(error: BaseException) -> bool:
    """GetSchema raises an OSError whose words alone say what it is."""
    return isinstance(error, flight.FlightUnavailableError) or "Flight returned unavailable error" in str(error)


def is_unheard(error: BaseException) -> bool:
    """Whether a call surely ended before the node's service heard of it, so that to ask again does nothing twice: no connection
    was made, or the server that had the connection was shut down before it took the call (gRPC ends such calls as cancelled; a
    service never does). Both happen while a node shows another certificate."""
    if isinstance(error, pa.ArrowCancelled):
        return not getattr(error, "extra_info", None)
    if _is_unavailable(error) and _NOT_CONNECTED in _first_line(error):
        return type(from_call(error, "")) in (NodeUnavailable, NodeRefused)  # to ask again makes nobody trusted, or faster
    return False


def from_stream(error: BaseException, address: str) -> FlightmeshError:
    """What a stream that had begun ran into: the peer's own error, else StreamBroken."""
    return _carried(error) or StreamBroken(
        f"the stream with {address} broke before its end: {_first_line(error)}", hint="run the query again"
    )


def _carried(error: BaseException) -> FlightmeshError | None:
    """The typed error in a Flight error's extra info."""
    extra = getattr(error, "extra_info", None)
    return read_extra(extra) if extra else None


def read_extra(extra: bytes) -> FlightmeshError | None:
    """The error that extra info carries; None where it is not ours."""
    try:
        body = msgpack.unpackb(bytes(extra))
    except (ValueError, TypeError, msgpack.UnpackException):
        return None
    return from_wire(body) if _is_error_map(body) else None


def _is_error_map(body: Any) -> bool:
    """Whether a peer sent an error as we write it, so that it can be rendered."""
    if not isinstance(body, dict) or not isinstance(body.get("code"), str):
        return False
    place = body.get("position")
    texts = all(body.get(name) is None or isinstance(body[name], str) for name in ("message", "hint", "text"))
    return texts and (place is None or _is_place(place))


def _is_place(place: Any) -> bool:
    if not isinstance(place, list) or len(place) != 4 or not all(type(number) is int for number in place[:3]):
        return False
    return place[3] is None or isinstance(place[3], str)


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    words = lines[0].split(". gRPC client debug context")[0].split(". Client context")[0]
    return _cut(_PREAMBLE.sub("", words), _HEADLINE)

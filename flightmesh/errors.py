"""Typed errors that say whose fault it is: the query's, the cluster's or ours.

Handed a message, an optional hint and an optional position; hands on an exception that renders itself for a person and
crosses a wire as a plain map. What always holds: an error carries no traceback and no secret of a token, and knows
whether a retry can help.
"""

from __future__ import annotations

import enum
import re
from typing import Any, ClassVar

from flightmesh.dataclass import dataclass


class Fault(enum.Enum):
    """Whose fault an error is."""

    QUERY = "query"
    CLUSTER = "cluster"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text that a person wrote: lines and columns count from 1, `length` in characters."""

    line: int
    column: int
    length: int = 1
    source: str | None = None

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}"
        return f"{self.source}:{self.line}:{self.column}" if self.source else where


_SECRET = re.compile(r"(fm1\.[0-9a-f]{64}\.[wc][0-9a-f]{7}-)[A-Za-z0-9_-]+")
"""A token as people hand it on; what follows its id is secret."""


def without_secrets(text: str) -> str:
    """A text in which tokens are shown without what is secret of them: people paste them where something else belongs."""
    return _SECRET.sub(r"\1...", text) if "fm1." in text else text


def with_article(noun: str) -> str:
    """The noun with a or an before it, as a message says it."""
    return f"an {noun}" if noun[:1].lower() in ("a", "e", "i", "o") else f"a {noun}"


class FlightmeshError(Exception):
    """Root of every error a user can meet. `code` names the class on the wire."""

    code: ClassVar[str] = "flightmesh"
    fault: ClassVar[Fault] = Fault.INTERNAL
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        position: Position | None = None,
        text: str | None = None,
    ) -> None:
        self.message = without_secrets(message)
        super().__init__(self.message)
        self.hint = hint and without_secrets(hint)
        self.position = position
        self.text = text and without_secrets(text)

    def __str__(self) -> str:
        return self.render()

    def render(self) -> str:
        """The message with its position, the offending line with a caret, and the hint, as a person reads it."""
        parts = [self.message if self.position is None else f"{self.message} (at {self.position})"]
        excerpt = self._excerpt()
        if excerpt:
            parts.append(excerpt)
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)

    def _excerpt(self) -> str | None:
        if self.text is None or self.position is None:
            return None
        lines = self.text.splitlines()
        if not 1 <= self.position.line <= len(lines):
            return None
        line = lines[self.position.line - 1].replace("\t", " ")
        start = max(0, self.position.column - 1)
        window = max(0, start - 60)
        shown = line[window : window + 120]
        caret = " " * (start - window) + "^" * max(1, min(self.position.length, len(shown) - (start - window)))
        return f"  {shown}\n  {caret}"

    def to_wire(self) -> dict[str, Any]:
        """The error as a msgpack-able map; `from_wire` is its inverse."""
        place = self.position
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "position": [place.line, place.column, place.length, place.source] if place else None,
            "text": self.text,
        }


class InvalidQuery(FlightmeshError):
    """The SQL text is wrong: syntax, an unknown name, a type that does not fit."""

    code = "invalid_query"
    fault = Fault.QUERY


class UnsupportedFeature(InvalidQuery):
    """The SQL text is right but asks for what this engine does not do yet."""

    code = "unsupported_feature"


class InvalidPlan(FlightmeshError):
    """A YAML plan is wrong; the position is in the plan file."""

    code = "invalid_plan"
    fault = Fault.QUERY


class InvalidConfig(FlightmeshError):
    """A configuration file or option is wrong."""

    code = "invalid_config"
    fault = Fault.QUERY


class InvalidInput(FlightmeshError):
    """An input cannot be read: missing, unreadable, truncated, ragged, of another schema."""

    code = "invalid_input"
    fault = Fault.QUERY


class InputChanged(InvalidInput):
    """A file changed while a job was reading it."""

    code = "input_changed"
    retryable = True


class DataError(FlightmeshError):
    """The data makes an expression fail: overflow, division by zero, a cast that does not fit."""

    code = "data_error"
    fault = Fault.QUERY


class Cancelled(FlightmeshError):
    """The user, or a limit that the user set, ended the job."""

    code = "cancelled"
    fault = Fault.QUERY


class ResourceExhausted(FlightmeshError):
    """A memory, disk or slot budget is used up."""

    code = "resource_exhausted"
    fault = Fault.CLUSTER
    retryable = True


class WorkerLost(FlightmeshError):
    """A worker stopped answering."""

    code = "worker_lost"
    fault = Fault.CLUSTER
    retryable = True


class Fenced(FlightmeshError):
    """A worker that was declared lost, or that this driver never knew, called: it is to drop everything and register anew."""

    code = "fenced"
    fault = Fault.CLUSTER


class NodeUnavailable(FlightmeshError):
    """A node cannot be reached, or does not answer in time."""

    code = "node_unavailable"
    fault = Fault.CLUSTER
    retryable = True


class NodeSilent(NodeUnavailable):
    """Somebody may listen at a node's address, but did not answer within the deadline (one that refuses is NodeUnavailable)."""

    code = "node_silent"


class NodeRefused(NodeUnavailable):
    """Nobody listens at a node's address: its process has ended, or never was there."""

    code = "node_refused"


class StreamBroken(FlightmeshError):
    """A stream ended before its end. What came of it is not the whole."""

    code = "stream_broken"
    fault = Fault.CLUSTER
    retryable = True


class ResultMoved(FlightmeshError):
    """A result partition is not at this worker any more: ask the driver again, by job id."""

    code = "result_moved"
    fault = Fault.CLUSTER
    retryable = True


class UnknownJob(FlightmeshError):
    """No such job, or its result has been read, dropped or has expired."""

    code = "unknown_job"
    fault = Fault.QUERY


class InvalidTicket(FlightmeshError):
    """A ticket that this mesh did not make."""

    code = "invalid_ticket"
    fault = Fault.QUERY


class InvalidToken(FlightmeshError):
    """A token of a mesh that is none: damaged, cut, or of another kind than is needed."""

    code = "invalid_token"
    fault = Fault.QUERY


class Unauthenticated(FlightmeshError):
    """A call without a token, or with one that does not let in (unknown, revoked, expired)."""

    code = "unauthenticated"
    fault = Fault.QUERY


class NotTrusted(FlightmeshError):
    """Whoever answers at an address cannot show that it belongs to the mesh: another mesh, or somebody in the middle."""

    code = "not_trusted"
    fault = Fault.CLUSTER


class NotAllowed(FlightmeshError):
    """What the owner of a node has not allowed: a path outside its roots, an action of nodes asked by a client."""

    code = "not_allowed"
    fault = Fault.QUERY


class InvalidMessage(FlightmeshError):
    """Bytes from a peer do not make the message that was expected."""

    code = "invalid_message"
    fault = Fault.CLUSTER


class InternalError(FlightmeshError):
    """A bug in flightmesh. Please report it."""

    code = "internal_error"
    fault = Fault.INTERNAL


def _error_classes(root: type[FlightmeshError]) -> dict[str, type[FlightmeshError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found.update(_error_classes(child))
    return found


def from_wire(body: dict[str, Any]) -> FlightmeshError:
    """The typed error that `to_wire` wrote; an unknown code becomes an InternalError that keeps the message."""
    classes = _error_classes(FlightmeshError)
    kind = classes.get(str(body.get("code")), InternalError)
    place = body.get("position")
    position = Position(*place) if place else None
    return kind(str(body.get("message")), hint=body.get("hint"), position=position, text=body.get("text"))

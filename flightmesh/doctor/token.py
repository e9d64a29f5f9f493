"""Whether there is a token, what it is, and whether the driver takes it.

What always holds: no finding has the secret; a worker's token is tried as joining does, so that the driver makes a certificate
that nobody uses.
"""

from __future__ import annotations

from flightmesh.doctor.findings import Finding, note, ok, wrong
from flightmesh.doctor.greeting import Greeting
from flightmesh.errors import FlightmeshError, InvalidToken
from flightmesh.node.worker_security import WorkerSecurity
from flightmesh.session.driver_access import find_access, with_token
from flightmesh.trust.tokens import Kind, Token, read_token

CHECK = "token"
ASK_SECONDS = 5.0
_NONE = "--token-file FILE, FLIGHTMESH_TOKEN_FILE or FLIGHTMESH_TOKEN give one; the driver prints a worker's when it starts, "
_MAKE = "`flightmesh token client --out DIR` on its machine makes a client's"


def read_given(text: str | None) -> tuple[list[Finding], Token | None]:
    """The token in a text, by its form alone."""
    if not text:
        return [], None
    try:
        token = read_token(text)
    except InvalidToken as error:
        return [wrong(CHECK, error.message, error.hint or _NONE + _MAKE)], None
    kind = token.kind.name.lower()
    return [ok(CHECK, f"a {kind}'s token, {token.id}, of the mesh whose CA is {token.fingerprint[:12]}")], token


def look_at_token(token: Token | None, greeting: Greeting) -> list[Finding]:
    """What the driver makes of it; without one, whether this user has the driver's own."""
    try:
        if token is None:
            find_access(greeting.uri)
            return [ok(CHECK, "none is needed: the driver's state is this user's")]
        if token.kind is Kind.WORKER:
            WorkerSecurity(token, tuple).approach(greeting.uri)
            return [ok(CHECK, "the driver lets workers join by it")]
        connection = with_token(greeting.uri, token).connect()
        try:
            connection.action("nodes", b"", ASK_SECONDS)
        finally:
            connection.close()
        return [ok(CHECK, "the driver answers clients that have it")]
    except FlightmeshError as error:
        if token is None:
            return [note(CHECK, "none was given", _NONE + _MAKE)]
        return [wrong(CHECK, f"the driver does not take it: {error.message}", error.hint or _MAKE)]

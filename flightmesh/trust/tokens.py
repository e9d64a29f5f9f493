"""Tokens: the one string with which a node joins a mesh, or a client uses it.

`fm1.<fingerprint>.<id>-<secret>`: the SHA-256 of the mesh's CA certificate in hex, a public id of eight characters that begins
with `w` (worker) or `c` (client), and 32 random bytes in URL-safe base64. Handed such a string; hands on a `Token`, or raises
InvalidToken without repeating what was wrong. What always holds: no text form of a token but `text` shows the secret.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import re
import secrets
from dataclasses import field

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidToken

VERSION = "fm1"
SECRET_BYTES = 32
FINGERPRINT_DIGITS = 64
_HINT = (
    "a token looks like fm1.<64 hex digits>.<id>-<secret>; the driver prints one when it starts, `flightmesh token` makes more"
)
_ID = r"[wc][0-9a-f]{7}"
_BODY = re.compile(rf"({_ID})-([A-Za-z0-9_-]+)")


class Kind(enum.Enum):
    """Whom a token lets in. The value is the first letter of its id."""

    WORKER = "w"
    CLIENT = "c"


@dataclass(frozen=True, slots=True)
class Token:
    """A token. `fingerprint`: of the CA, hex; `id`: public; `secret`: bytes that only its holders know."""

    fingerprint: str
    id: str
    secret: bytes = field(repr=False)

    @property
    def kind(self) -> Kind:
        """Whom it lets in."""
        return Kind(self.id[0])

    @property
    def text(self) -> str:
        """The string that people hand on."""
        return f"{VERSION}.{self.fingerprint}.{self.id}-{_encode(self.secret)}"

    def __str__(self) -> str:
        return f"{self.kind.name.lower()} token {self.id}"


def new_token(kind: Kind, fingerprint: str) -> Token:
    """A token that nobody had before."""
    return Token(fingerprint, kind.value + secrets.token_hex(4)[:7], secrets.token_bytes(SECRET_BYTES))


def read_token(text: str, kind: Kind | None = None) -> Token:
    """The token in a string. Raises InvalidToken; also for one of another kind, where one is wanted."""
    parts = text.strip().split(".")
    if parts[0] != VERSION:
        named = re.fullmatch(r"fm\d+", parts[0])
        raise InvalidToken("this token is of a newer form" if named else "this is no token", hint=_HINT)
    if len(parts) != 3:
        raise InvalidToken(f"this token has {len(parts)} parts between dots, not 3: a piece of it is missing", hint=_HINT)
    body = _BODY.fullmatch(parts[2])
    if not re.fullmatch(rf"[0-9a-f]{{{FINGERPRINT_DIGITS}}}", parts[1]) or body is None:
        raise InvalidToken("this token is damaged: a piece of it is missing or was changed", hint=_HINT)
    secret = _decode(body[2])
    if secret is None or len(secret) != SECRET_BYTES:
        raise InvalidToken("the secret of this token is damaged: a piece of it is missing", hint=_HINT)
    token = Token(parts[1], body[1], secret)
    if kind is not None and token.kind is not kind:
        wanted, given = kind.name.lower(), token.kind.name.lower()
        raise InvalidToken(
            f"this is a {given}'s token, and a {wanted}'s is needed here", hint=f"`flightmesh token {wanted}` makes one"
        )
    return token


def is_id(text: str) -> bool:
    """Whether a text has the form of a token's id."""
    return re.fullmatch(_ID, text) is not None


def digest(secret: bytes) -> bytes:
    """What is kept of a client's secret: enough to know it again. The secret is random, so a plain hash says nothing of it."""
    return hashlib.sha256(b"flightmesh client " + secret).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None

"""The tokens of a mesh, in a file beside its CA: made, rotated, revoked, looked up.

Handed the file; hands on tokens and what is known of them. What always holds: of a client's token only a hash is kept; changes
by another process (`flightmesh token`) are seen at the next look; one process writes at a time, and never half a file.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig, InvalidInput
from flightmesh.trust.private_files import read_private, write_private
from flightmesh.trust.tokens import SECRET_BYTES, Kind, Token, digest, is_id, new_token

VERSION = 1


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What is kept of a token. `secret`: hex, of a worker's token the secret itself, of a client's its hash; times are seconds
    since the epoch; `expires` None: never; `revoked` None: not."""

    id: str
    secret: str
    label: str
    created: float
    expires: float | None = None
    revoked: float | None = None

    @property
    def kind(self) -> Kind:
        """Whom it lets in."""
        return Kind(self.id[0])

    def state(self, now: float) -> str:
        """good, revoked or expired."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else "good"

    def __repr__(self) -> str:
        return f"TokenRecord({self.id!r}, {self.label!r})"


class TokenStore:
    """The tokens of the mesh whose CA has `fingerprint`. Any thread may call."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        self._path = path
        self._fingerprint = fingerprint
        self._seen: tuple[int, int, int] | None = None
        self._records: dict[str, TokenRecord] = {}

    def all(self) -> tuple[TokenRecord, ...]:
        """Every token, the earliest first. Raises InvalidConfig where the file is damaged or open to others."""
        return tuple(self._now().values())

    def make(self, kind: Kind, label: str = "", seconds: float | None = None) -> Token:
        """A new token, good for so long."""
        token = new_token(kind, self._fingerprint)
        with self._changing() as records:
            while token.id in records:  # an id is a few random digits
                token = new_token(kind, self._fingerprint)
            records[token.id] = _record(token, label, seconds)
        return token

    def rotate(self, id: str, seconds: float | None = None) -> Token:
        """A new token in place of another, which is revoked. Raises InvalidInput for an unknown or revoked one."""
        with self._changing() as records:
            old = _find(records, id)
            if old.revoked is not None:
                raise InvalidInput(f"token {old.id} has been revoked", hint=f"make another: flightmesh token {_noun(old)}")
            token = new_token(old.kind, self._fingerprint)
            records[old.id] = replace(old, revoked=time.time())
            records[token.id] = _record(token, old.label, seconds)
        return token

    def revoke(self, id: str) -> TokenRecord:
        """A token lets nobody in any more. Repeating it is harmless. Raises InvalidInput for an unknown one."""
        with self._changing() as records:
            old = _find(records, id)
            records[old.id] = old if old.revoked is not None else replace(old, revoked=time.time())
            return records[old.id]

    def worker_secret(self, id: str) -> bytes | None:
        """The secret of a worker's token that is good; None for any other."""
        record = self._now().get(id)
        good = record is not None and record.kind is Kind.WORKER and record.state(time.time()) == "good"
        return bytes.fromhex(record.secret) if record is not None and good else None

    def stands(self, id: str) -> bool:
        """Whether a token is known and was not revoked."""
        record = self._now().get(id)
        return record is not None and record.revoked is None

    def is_good(self, id: str) -> bool:
        """Whether a token lets anybody in now."""
        record = self._now().get(id)
        return record is not None and record.state(time.time()) == "good"

    def text(self, id: str) -> str:
        """A worker's token as its holders know it."""
        record = _find(self._now(), id)
        return Token(self._fingerprint, record.id, bytes.fromhex(record.secret)).text

    def _now(self) -> dict[str, TokenRecord]:
        """The records as the file has them now."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._seen, self._records = None, {}
            return self._records
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen != self._seen:
            self._records = self._read()
            self._seen = seen
        return self._records

    def _read(self) -> dict[str, TokenRecord]:
        data = read_private(self._path)
        try:
            body = json.loads(data)
            if body["version"] != VERSION:
                raise InvalidConfig(f"{self._path} is of another version of flightmesh ({body['version']})")
            records = [_checked(TokenRecord(**fields)) for fields in body["tokens"]]
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidConfig(f"the tokens in {self._path} cannot be read: {type(error).__name__}") from None
        return {record.id: record for record in records}

    @contextmanager
    def _changing(self) -> Iterator[dict[str, TokenRecord]]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self._path.with_suffix(".lock")
        place.touch(0o600)
        with place.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            records = dict(self._now())
            yield records
            body = {"version": VERSION, "tokens": [asdict(record) for record in records.values()]}
            write_private(self._path, json.dumps(body, indent=1).encode())


def same_digest(kept: bytes, secret: bytes) -> bool:
    """Whether a client's secret is the one whose hash was kept; takes the same time for any."""
    return hmac.compare_digest(kept, digest(secret))


def _record(token: Token, label: str, seconds: float | None) -> TokenRecord:
    now = time.time()
    kept = token.secret if token.kind is Kind.WORKER else digest(token.secret)
    return TokenRecord(token.id, kept.hex(), label, now, None if seconds is None else now + seconds)


def _checked(record: TokenRecord) -> TokenRecord:
    """A record as the file has it. Raises ValueError or TypeError for one that nobody here wrote."""
    times = (record.created, record.expires or 0, record.revoked or 0)
    known = is_id(record.id) and len(bytes.fromhex(record.secret)) == SECRET_BYTES
    if not (known and all(isinstance(moment, int | float) for moment in times)):
        raise ValueError(record.id)
    return record


def _find(records: dict[str, TokenRecord], id: str) -> TokenRecord:
    found = records.get(id)
    if found is None:
        known = ", ".join(records) or "none"
        raise InvalidInput(f"there is no token {id!r}", hint=f"tokens: {known} (flightmesh token list)")
    return found


def _noun(record: TokenRecord) -> str:
    return record.kind.name.lower()

"""What a worker says of itself when it registers, and what of it a driver believes.

Handed a registration; hands on nothing, or raises InvalidConfig. What always holds: nothing that a worker says breaks the
driver down, writes to a person's terminal, or has anybody call an address without TLS in a mesh that has it.
"""

from __future__ import annotations

import re

from flightmesh.errors import InvalidConfig
from flightmesh.protocol.node_messages import Register, Serving
from flightmesh.transport.security import PLAIN_SCHEME, TLS_SCHEME, scheme_of

MOST_SLOTS = 4096
MOST_BYTES = 1 << 62
MOST_TABLES = 4096
LONGEST_HOST = 255
LONGEST_DIGEST = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_URI = re.compile(r"[a-z+]+://(\[[0-9A-Fa-f:.%]{2,60}\]|[A-Za-z0-9._-]{1,253}):[0-9]{1,5}")
_HINT = "is it a worker of flightmesh?"


def check_claims(said: Register, *, secure: bool) -> None:
    """Raises InvalidConfig for what no worker is. `secure`: the worker has shown a certificate."""
    if not _NAME.fullmatch(said.name):
        raise InvalidConfig(f"a worker cannot be called {said.name[:80]!r}", hint="letters, digits, - _ and ., at most 63")
    if not 1 <= said.slots <= MOST_SLOTS:
        raise InvalidConfig(f"worker {said.name} has {said.slots} slots, where 1 to {MOST_SLOTS} make sense", hint=_HINT)
    if not (0 < said.memory <= MOST_BYTES and 0 <= said.disk <= MOST_BYTES):
        raise InvalidConfig(f"worker {said.name} has {said.memory} bytes of memory and {said.disk} of disk", hint=_HINT)
    if len(said.host) > LONGEST_HOST or not said.host.isprintable():
        raise InvalidConfig(f"worker {said.name} is on no machine: {said.host[:80]!r}", hint=_HINT)
    for uri in (said.address.mesh, said.address.client):
        _check_uri(said.name, uri, TLS_SCHEME if secure else PLAIN_SCHEME)
    _check_tables(said.name, said.serves)


def _check_uri(name: str, uri: str, scheme: str) -> None:
    if scheme_of(uri) != scheme or not _URI.fullmatch(uri):
        raise InvalidConfig(f"worker {name} cannot be reached at {uri[:80]!r}", hint=f"{scheme}://HOST:PORT")


def _check_tables(name: str, serves: tuple[Serving, ...]) -> None:
    if len(serves) > MOST_TABLES:
        raise InvalidConfig(f"worker {name} serves {len(serves):,} tables", hint=f"at most {MOST_TABLES} are taken")
    for serving in serves:
        if not _TABLE.fullmatch(serving.table) or max(len(serving.place), len(serving.home)) > LONGEST_DIGEST:
            raise InvalidConfig(f"worker {name} cannot serve a table {serving.table[:80]!r}", hint="letters, digits and _")

"""What a connection is secured with, and who may call what: handed to listeners and clients by whoever has the certificates.

What always holds: without a `ServerTls` a listener speaks plain gRPC; a `Guard` is asked before a service hears of a call, and
refuses by raising.
"""

from __future__ import annotations

from dataclasses import field
from typing import Protocol

from flightmesh.dataclass import dataclass
from flightmesh.transport.service import Call

TLS_SCHEME = "grpc+tls"
PLAIN_SCHEME = "grpc"


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a listener shows (PEM). `client_roots`: the CA of those who may connect, who then have to show a certificate."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_roots: bytes | None = None


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What a client trusts, and shows (PEM). `name`: the name that the server's certificate must carry; None: that of the
    address. `roots` None: whoever answers is believed, which only fetching a CA may do."""

    roots: bytes | None
    name: str | None = None
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)


class Guard(Protocol):
    """Decides who may call."""

    def check(self, call: Call, action: str | None) -> None:
        """Raises Unauthenticated or NotAllowed. `action`: the action's name, where the call is one."""


class OpenDoor:
    """Everybody may call everything: for listeners without TLS."""

    def check(self, call: Call, action: str | None) -> None:
        """Nobody is refused."""


@dataclass(frozen=True, slots=True)
class Security:
    """Of one listener."""

    tls: ServerTls
    guard: Guard


def scheme_of(uri: str) -> str:
    """The part of a URI before `://`."""
    return uri.partition("://")[0]


def with_host(uri: str, host: str) -> str:
    """The same scheme and port at another host. An IPv6 address is put in brackets."""
    port = uri.rpartition(":")[2]
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{scheme_of(uri)}://{shown}:{port}"


def host_of(uri: str) -> str:
    """The host of a URI, without brackets."""
    return uri.partition("://")[2].rpartition(":")[0].strip("[]")

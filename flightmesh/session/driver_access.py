"""How a client gets at a driver: over TLS with a token, or plainly where the mesh has none.

Handed an address as a person wrote it, and a token if there is one; hands on a URI, what to trust there, and the headers of
every call. What always holds: a token is sent only to who has shown a certificate of the mesh that the token is for; where a
scheme or a token was given, nothing is tried without TLS, nor is it at another machine's address unless somebody wrote `grpc://`.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig, NodeUnavailable, NotTrusted, Unauthenticated
from flightmesh.transport.first_contact import fetch_ca, speaks_tls
from flightmesh.transport.flight_client import ClientConnection
from flightmesh.transport.flight_peers import plain
from flightmesh.transport.security import PLAIN_SCHEME, TLS_SCHEME, ClientTls, host_of
from flightmesh.trust.authority import fingerprint, mesh_of
from flightmesh.trust.certificates import driver_name, mesh_name
from flightmesh.trust.private_files import read_private
from flightmesh.trust.state import default_folder, find_state
from flightmesh.trust.tokens import Kind, Token, read_token

FOUND = "mesh://"
TOKEN_VARIABLE, TOKEN_FILE_VARIABLE = "FLIGHTMESH_TOKEN", "FLIGHTMESH_TOKEN_FILE"
INTERFACES_VARIABLE = "FLIGHTMESH_NODE_INTERFACES"
_ADDRESS = re.compile(r"(?:(?P<scheme>[a-z0-9+]+)://)?(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/@]+):(?P<port>\d{1,5})/?")
_SCHEMES = {None: None, "grpc": PLAIN_SCHEME, "grpc+tcp": PLAIN_SCHEME, "grpc+tls": TLS_SCHEME, "grpcs": TLS_SCHEME}
_EXAMPLE = "the address of a driver looks like grpc+tls://192.168.1.7:8815"


@dataclass(frozen=True, slots=True)
class DriverAccess:
    """A driver as a client reaches it."""

    uri: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    trust: Callable[[str], ClientTls | None] = plain

    def connect(self) -> ClientConnection:
        """A connection. Nobody has been called yet."""
        return ClientConnection(self.uri, self.headers, trust=self.trust)


def find_access(address: str, token: str | None = None) -> DriverAccess:
    """What gets at the driver at `address` (HOST:PORT, grpc+tls://HOST:PORT, grpc://HOST:PORT, or mesh://NAME, which is looked
    for on this network). Without a token: the one of the environment, else, where the driver's state is on this machine and
    this user's, its own. Raises InvalidConfig, InvalidToken, Unauthenticated where a token is needed and there is none,
    NotTrusted and NodeUnavailable."""
    given = token if token is not None else token_of_environment()
    if isinstance(address, str) and address.startswith(FOUND):
        address = _found(address.removeprefix(FOUND).strip("/"), None if given is None else read_token(given, Kind.CLIENT))
    scheme, place = split_address(address)
    if scheme == PLAIN_SCHEME:
        if token is not None:
            raise InvalidConfig("a token is not sent without TLS", hint=f"{TLS_SCHEME}://{place}")
        return DriverAccess(f"{PLAIN_SCHEME}://{place}")
    uri = f"{TLS_SCHEME}://{place}"
    if given is not None:
        return with_token(uri, read_token(given, Kind.CLIENT))
    if scheme is None and _is_plain(place, uri):
        return DriverAccess(f"{PLAIN_SCHEME}://{place}")
    return _with_token_of_this_machine(uri)


def with_token(uri: str, token: Token) -> DriverAccess:
    """What gets at the driver at a URI by a token. Raises NotTrusted where another mesh is there, NodeUnavailable."""
    return trusting(uri, fetch_ca(uri, token.fingerprint), token)


def trusting(uri: str, ca: bytes, token: Token) -> DriverAccess:
    """The same, where the CA is known."""
    mesh = mesh_of(ca)
    of_driver, of_others = ClientTls(ca, driver_name(mesh)), ClientTls(ca, mesh_name(mesh))
    return DriverAccess(
        uri,
        {"authorization": f"Bearer {token.text}"},
        lambda address: of_driver if address == uri else of_others,
    )


def split_address(address: str) -> tuple[str | None, str]:
    """The scheme, if one was written, and HOST:PORT. Raises InvalidConfig for what is no address."""
    found = _ADDRESS.fullmatch(address.strip()) if isinstance(address, str) else None
    if found is None or not 0 < int(found["port"]) < 65536:
        raise InvalidConfig(f"{address!r} is not the address of a driver", hint=_EXAMPLE)
    if found["scheme"] not in _SCHEMES:
        raise InvalidConfig(f"{address!r}: a driver is reached by grpc, not by {found['scheme']}", hint=_EXAMPLE)
    return _SCHEMES[found["scheme"]], f"{found['host']}:{found['port']}"


def token_of_environment() -> str | None:
    """A token that the environment holds, or names the file of. Raises InvalidConfig where that cannot be read."""
    if text := os.environ.get(TOKEN_VARIABLE):
        return text
    path = os.environ.get(TOKEN_FILE_VARIABLE)
    return token_in(Path(path)) if path else None


def token_in(path: Path) -> str:
    """The token in a file. Raises InvalidConfig where it cannot be read, or where others can read it, too."""
    try:
        return read_private(path).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidConfig(f"the token file {path} cannot be read: {reason}") from None


def _found(mesh: str, token: Token | None) -> str:
    """The address of the driver of a mesh on this network: by name, or the one that a token is for, or the only one."""
    from flightmesh.discovery.meshes import choose, find_meshes  # zeroconf takes a while to load

    interfaces = tuple(name.strip() for name in os.environ.get(INTERFACES_VARIABLE, "").split(",") if name.strip())
    found = find_meshes(interfaces=interfaces, mesh=mesh or None)
    if token is not None:  # whoever is on the LAN can announce a mesh of any name without TLS; a token is for none of those
        found = tuple(node for node in found if node.secure)
    driver = choose(found, mesh or None, "" if token is None or mesh else token.fingerprint)
    return driver.uris[0]


def _is_plain(place: str, uri: str) -> bool:
    """Whether whoever is at an address of this machine does without TLS. Raises NotTrusted where another machine's does:
    whoever is on the way there could have it look so."""
    if _is_own(host_of(uri)):
        try:
            return not speaks_tls(uri)
        except NodeUnavailable:
            return True  # whoever connects will say it with the address that was asked for
    if not speaks_tls(uri):
        hint = f"a mesh that was started with --insecure is reached by {PLAIN_SCHEME}://{place}; else somebody is in the middle"
        raise NotTrusted(f"whoever answers at {place} does not speak TLS", hint=hint)
    return False


def _is_own(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _with_token_of_this_machine(uri: str) -> DriverAccess:
    ca = fetch_ca(uri, None)
    mesh = mesh_of(ca)
    state = find_state(default_folder(), mesh) if _is_readable(mesh) else None
    text = state.client_token() if state is not None and state.authority.fingerprint == fingerprint(ca) else None
    if text is None:
        raise Unauthenticated(
            f"the mesh {mesh} at {uri} asks for a token",
            hint=f"give one with --token-file FILE, {TOKEN_FILE_VARIABLE} or {TOKEN_VARIABLE}; on the driver's machine, "
            "`flightmesh token client --out DIR` makes one",
        )
    return trusting(uri, ca, read_token(text, Kind.CLIENT))


def _is_readable(mesh: str) -> bool:
    """Whether this user has the state of a mesh of that name."""
    return os.access(default_folder() / mesh / "ca.key", os.R_OK)

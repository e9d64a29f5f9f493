"""Drivers at addresses that a person wrote: one, or several to be tried in order."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from flightmesh.discovery.found import CLIENT_PORT, DriverAddress
from flightmesh.errors import InvalidConfig


class StaticSource:
    """`HOST:PORT` or `HOST`, in order. Raises InvalidConfig."""

    def __init__(self, locations: Sequence[str], source: str) -> None:
        self._addresses = tuple(read_location(text, source) for text in locations)
        self._closed = threading.Event()

    def candidates(self) -> tuple[DriverAddress, ...]:
        """All of them, always."""
        return self._addresses

    def wait_changed(self, seconds: float) -> None:
        """They never change."""
        self._closed.wait(seconds)

    def waiting_for(self) -> str:
        """The addresses."""
        return f"the driver at {' or '.join(each.location for each in self._addresses)}"

    def close(self) -> None:
        """Whoever waits goes on."""
        self._closed.set()


def read_location(text: str, source: str) -> DriverAddress:
    """The address that a person wrote: `HOST`, `HOST:PORT`, `[IPV6]:PORT`, also as a URI. Raises InvalidConfig."""
    scheme, rest = _scheme(text)
    if rest.startswith("["):
        host, bracket, port = rest[1:].partition("]")
        valid = bool(bracket) and (not port or port.startswith(":"))
        port = port.removeprefix(":")
    elif rest.count(":") > 1:  # an IPv6 address alone
        host, port, valid = rest, "", True
    else:
        host, colon, port = rest.partition(":")
        valid = not colon or bool(port)
    if not valid or not host or "/" in host or any(sign.isspace() for sign in host) or not _is_port(port):
        raise InvalidConfig(f"{text!r} is not HOST:PORT", hint=f"{source} takes addresses such as 10.0.0.5:{CLIENT_PORT}")
    secure = None if scheme is None else scheme == "grpc+tls"
    return DriverAddress(host, int(port) if port else CLIENT_PORT, source, secure=secure)


def _scheme(text: str) -> tuple[str | None, str]:
    for scheme in ("grpc+tls", "grpc"):
        if text.startswith(f"{scheme}://"):
            return scheme, text.removeprefix(f"{scheme}://").removesuffix("/")
    return None, text


def _is_port(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and 0 < int(text) < 65536)

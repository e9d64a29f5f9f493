"""Addresses of nodes as people write them, and where a node listens with and without TLS.

Handed `HOST:PORT`, `grpc://HOST:PORT` or a host; hands on URIs. What always holds: without TLS a node listens at this machine's
own address, unless somebody asked for another by name, and is then told loudly what that means.
"""

from __future__ import annotations

import ipaddress
import re
import sys

import typer

PLAIN, TLS = "grpc", "grpc+tls"
_EVERYWHERE = ("0.0.0.0", "[::]", "::", "*")


def node_uri(text: str | None, option: str = "--driver", scheme: str = PLAIN) -> str:
    """`grpc://HOST:PORT`, or with TLS `grpc+tls://HOST:PORT`, of what a person wrote."""
    address = driver_address(text, option)
    written, _, rest = address.rpartition("://")
    if written not in ("", scheme):
        how = "speaks TLS: leave --insecure out" if written == TLS else "has no TLS: say --insecure"
        raise typer.BadParameter(f"a mesh at {text!r} {how}", param_hint=option)
    return f"{scheme}://{rest}"


def driver_address(text: str | None, option: str = "--driver") -> str:
    """What a person wrote, if it is an address: HOST:PORT, with or without a scheme."""
    if text is None:
        raise typer.BadParameter("say where the driver is: HOST:PORT, also as FLIGHTMESH_DRIVER", param_hint=option)
    scheme, separator, rest = text.rpartition("://")
    host, colon, port = rest.rpartition(":")
    if scheme not in ("", PLAIN, TLS) or (separator and not scheme):
        raise typer.BadParameter(f"{text!r} is not HOST:PORT, as in 127.0.0.1:8815", param_hint=option)
    if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
        raise typer.BadParameter(f"{text!r} is not HOST:PORT, as in 127.0.0.1:8815", param_hint=option)
    return text


def listen_uri(text: str | None, insecure: bool, port: int = 0) -> str:
    """Where to listen: `HOST` or `HOST:PORT` of what a person wrote. If nothing: with TLS at every address of this machine,
    without at its own alone."""
    scheme = PLAIN if insecure else TLS
    if text is None:
        return f"{scheme}://{'127.0.0.1' if insecure else '0.0.0.0'}:{port}"
    host, given = _host_and_port(text.removeprefix(f"{scheme}://"), port)
    if host in _EVERYWHERE and insecure:
        raise typer.BadParameter(
            f"{text!r} is no address that others could be told: give one of this machine's own", param_hint="--listen"
        )
    if re.fullmatch(r"[0-9.]+", host) and not _is_address(host):  # would be looked up as a name
        raise typer.BadParameter(f"{host!r} is neither an address nor a name", param_hint="--listen")
    if insecure and not is_loopback(host):
        print(
            f"WARNING: listening at {host} without TLS: whoever reaches it can read and run anything that this node can",
            file=sys.stderr,
            flush=True,
        )
    return f"{scheme}://{'0.0.0.0' if host == '*' else host}:{given}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's own address, which nobody else reaches."""
    host = host.removeprefix("grpc://").removeprefix("grpc+tls://")
    if host.count(":") == 1:
        host = host.partition(":")[0]
    host = host.partition("]")[0].lstrip("[")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    host, colon, given = text.rpartition(":")
    if text.isdigit():  # a port alone would be looked up as a host
        raise typer.BadParameter(f"{text!r} is not HOST or HOST:PORT: a port stands behind a colon", param_hint="--listen")
    if not colon or text.endswith("]"):
        return text, port
    if text.count(":") > 1 and not text.startswith("["):
        return f"[{text}]", port
    if not (host and given.isdigit() and int(given) < 65536):
        raise typer.BadParameter(f"{text!r} is not HOST or HOST:PORT", param_hint="--listen")
    return host, int(given)

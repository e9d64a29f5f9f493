"""Addresses of nodes as people write them, and what may be listened at without TLS.

Handed `HOST:PORT`, `grpc://HOST:PORT` or a host; hands on URIs. What always holds: without TLS a node listens at this machine's
own address, unless somebody asked for another by name, and is then told loudly what that means.
"""

from __future__ import annotations

import ipaddress
import re
import sys

import typer

TLS_LATER = (
    "nodes of a mesh will speak TLS and ask for a token; that is not there yet, and without it anybody who reaches the port "
    "can run queries. Say --insecure to run without, on this machine's own address"
)


def node_uri(text: str | None, option: str = "--driver") -> str:
    """`grpc://HOST:PORT` of what a person wrote."""
    if text is None:
        raise typer.BadParameter("say where the driver is: HOST:PORT, also as FLIGHTMESH_DRIVER", param_hint=option)
    rest = text.removeprefix("grpc://")
    host, colon, port = rest.rpartition(":")
    if "://" in rest or not (colon and host and port.isdigit() and 0 < int(port) < 65536):
        raise typer.BadParameter(f"{text!r} is not HOST:PORT, as in 127.0.0.1:8815", param_hint=option)
    return f"grpc://{host}:{port}"


def listen_uri(text: str | None, insecure: bool, port: int = 0) -> str:
    """Where to listen: `HOST` or `HOST:PORT` of what a person wrote, this machine's own address if nothing."""
    if not insecure:
        raise typer.BadParameter(TLS_LATER, param_hint="--insecure")
    if text is None:
        return f"grpc://127.0.0.1:{port}"
    host, given = _host_and_port(text.removeprefix("grpc://"), port)
    if host in ("0.0.0.0", "[::]", "::", "*"):
        raise typer.BadParameter(
            f"{text!r} is no address that others could be told: give one of this machine's own", param_hint="--listen"
        )
    if re.fullmatch(r"[0-9.]+", host) and not _is_address(host):  # would be looked up as a name
        raise typer.BadParameter(f"{host!r} is neither an address nor a name", param_hint="--listen")
    if not is_loopback(host):
        print(
            f"WARNING: listening at {host} without TLS: whoever reaches it can read and run anything that this node can",
            file=sys.stderr,
            flush=True,
        )
    return f"grpc://{host}:{given}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's own address, which nobody else reaches."""
    host = host.removeprefix("grpc://")
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

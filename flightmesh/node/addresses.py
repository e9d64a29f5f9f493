"""By what names and addresses others reach a node.

Handed where it listens and what its owner says that others see; hands on what goes into certificates and into what nodes tell
each other. What always holds: an owner's word goes before what the machine says; a node that listens at one address is
reached by that one alone.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator

import psutil

from flightmesh.transport.flight_server import FlightNode
from flightmesh.transport.security import host_of, with_host

EVERY_ADDRESS = ("0.0.0.0", "::", "*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


def own_addresses(listen: str, advertise: tuple[str, ...]) -> tuple[str, ...]:
    """The names and addresses of a node that listens at the URI `listen`, the best first. Loopback is the last."""
    host = host_of(listen)
    if host not in EVERY_ADDRESS:
        local = (host,)
    else:
        name = socket.gethostname()
        local = (*_interfaces(), *((name,) if _HOST.fullmatch(name) else ()), "localhost", "127.0.0.1", "::1")
    return tuple(dict.fromkeys((*advertise, *local)))


def reached_at(node: FlightNode, advertise: tuple[str, ...], towards: str | None = None) -> str:
    """The URI of a listener as others are told it: by its owner's word, else by the address that whoever is at the host
    `towards` sees."""
    if advertise:
        return with_host(node.uri, advertise[0])
    if host_of(node.uri) not in EVERY_ADDRESS:
        return node.uri
    seen = _address_towards(towards) if towards else None
    return with_host(node.uri, seen or next(iter(_interfaces()), "127.0.0.1"))


def _address_towards(host: str) -> str | None:
    """This machine's address on the way to another; nothing is sent."""
    for family, kind, _, _, address in _resolved(host):
        with socket.socket(family, kind) as probe:
            try:
                probe.connect(address)
            except OSError:  # no way there: another of its addresses may have one
                continue
            return str(probe.getsockname()[0])
    return None


def _resolved(host: str) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]:
    try:
        return socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)  # type: ignore[return-value]
    except OSError:
        return []


def _interfaces() -> Iterator[str]:
    """The addresses of interfaces that are up, loopback left out: private ones first, link-local ones left out."""
    stats = psutil.net_if_stats()
    found: list[tuple[int, bool, str]] = []
    for name, addresses in psutil.net_if_addrs().items():
        if name in stats and not stats[name].isup:
            continue
        for address in addresses:
            if address.family in (socket.AF_INET, socket.AF_INET6):
                parsed = ipaddress.ip_address(address.address.partition("%")[0])
                if not parsed.is_loopback and not parsed.is_link_local:
                    found.append((parsed.version, _is_tunnel(name), str(parsed)))
    return (text for _, _, text in sorted(found))


def _is_tunnel(interface: str) -> bool:
    """Whether an interface looks like a VPN's or a container's bridge: those are named last."""
    return interface.startswith(("tun", "tap", "wg", "tailscale", "docker", "br-", "virbr", "veth"))

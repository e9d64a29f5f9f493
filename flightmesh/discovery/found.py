"""What a node says of itself on the LAN, and what a worker is told of where a driver may be.

What always holds: nothing here is proof of anything, since whoever is on the LAN can say it. It is where to knock; who answers
is found out by the handshake. No secret is in it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from flightmesh.dataclass import dataclass

CLIENT_PORT = 8815
"""Where a driver listens for clients, and for those that want to join."""
DRIVER = "driver"
WORKER = "worker"


@dataclass(frozen=True, slots=True)
class FoundNode:
    """One node. `hosts`: its addresses, the likeliest to be reached first (to announce: none means those of the machine's
    interfaces); `port`: of the client listener, `peer_port`: of the listener for nodes; `memory` in bytes; `ca`: the first 16
    hex digits of the fingerprint of its mesh's authority, empty where the mesh is insecure."""

    mesh: str
    role: str
    node: str
    incarnation: str
    protocol: int
    hosts: tuple[str, ...]
    port: int
    peer_port: int
    cores: int
    memory: int
    secure: bool
    ca: str
    name: str

    @property
    def uris(self) -> tuple[str, ...]:
        """Where its clients may knock, best first."""
        return tuple(uri(host, self.port, secure=self.secure) for host in self.hosts)

    def at(self, hosts: tuple[str, ...]) -> FoundNode:
        """The same node at other addresses."""
        return replace(self, hosts=hosts)


@dataclass(frozen=True, slots=True)
class DriverAddress:
    """One address where a driver may be. What only mDNS tells is None or empty where people or DNS named the address; `source`
    says who did, for people."""

    host: str
    port: int
    source: str
    mesh: str | None = None
    secure: bool | None = None
    ca: str = ""
    protocol: int | None = None
    node: str = ""
    incarnation: str = ""
    peer_port: int | None = None

    @property
    def location(self) -> str:
        """`HOST:PORT`, as a person writes it."""
        return location(self.host, self.port)


def addresses_of(driver: FoundNode) -> tuple[DriverAddress, ...]:
    """Where a driver that was found may be knocked at, best first."""
    return tuple(
        DriverAddress(
            host,
            driver.port,
            "mDNS",
            driver.mesh,
            driver.secure,
            driver.ca,
            driver.protocol,
            driver.node,
            driver.incarnation,
            driver.peer_port,
        )
        for host in driver.hosts
    )


def location(host: str, port: int) -> str:
    """`HOST:PORT`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if is_v6(host) else f"{host}:{port}"


def uri(host: str, port: int, *, secure: bool) -> str:
    """The URI of a listener."""
    return f"{'grpc+tls' if secure else 'grpc'}://{location(host, port)}"


def is_v6(host: str) -> bool:
    """Whether a host is an IPv6 address."""
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False

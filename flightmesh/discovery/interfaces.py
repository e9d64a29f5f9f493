"""Which of this machine's addresses others can use, and which of theirs we can.

Handed the names or addresses of interfaces that somebody chose, or none; hands on addresses, best first. What always holds:
links that are up only; a LAN before a VPN before the bridges of containers, which exist on many machines with the same
address; loopback only where there is nothing else.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from enum import IntEnum

import psutil

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig


class Kind(IntEnum):
    """What an interface leads to; the least is the best."""

    LAN = 0
    VPN = 1
    CONTAINERS = 2
    LOOPBACK = 3


@dataclass(frozen=True, slots=True, order=True)
class Local:
    """One address of this machine."""

    kind: Kind
    interface: str
    address: str
    prefix: int

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """The subnet that it is in."""
        return ipaddress.ip_network(f"{self.address}/{self.prefix}", strict=False)


_CONTAINERS = re.compile(r"(docker|br-[0-9a-f]{6,}|virbr|veth|cni|flannel|cali|lxc|lxdbr|podman|vmnet|vboxnet)")
_VPN = re.compile(r"(tun|tap|wg|tailscale|zt|ppp|utun|nebula|ipsec)")


def local_addresses(chosen: Sequence[str] = ()) -> tuple[Local, ...]:
    """The addresses to be found at, best first: of all interfaces, or of those that were chosen by name or address."""
    present = sorted(_present())
    if chosen:
        named = _one_family([each for each in present if each.interface in chosen])
        return tuple(each for each in present if each in named or each.address in chosen)
    outside = [each for each in present if each.kind is not Kind.LOOPBACK]
    return tuple(_one_family(outside or present))


def check_interfaces(chosen: Sequence[str]) -> None:
    """Raises InvalidConfig where a name or an address is none of this machine. One that is down is none of its faults."""
    there = psutil.net_if_addrs()
    known = set(there) | {_plain(each.address) for addresses in there.values() for each in addresses}
    for name in chosen:
        if name not in known:
            raise InvalidConfig(f"this machine has no interface {name!r}", hint=f"it has {', '.join(sorted(there))}")


def best_first(hosts: Sequence[str], local: Sequence[Local]) -> tuple[str, ...]:
    """The addresses of another node: names first (somebody chose them), then what is in a subnet of ours, a LAN's before a
    VPN's. An address that this machine has too comes last: if it is not this machine that was found, it is not the way
    there."""
    own = {each.address for each in local}

    def rank(host: str) -> tuple[int, int]:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return (0, 0)
        if host in own:
            return (3, 0)
        near = [each.kind for each in local if address in each.network]
        return (1, min(near)) if near else (2, 0)

    return tuple(sorted(dict.fromkeys(hosts), key=rank))


def _present() -> list[Local]:
    stats = psutil.net_if_stats()
    found = []
    for interface, addresses in psutil.net_if_addrs().items():
        state = stats.get(interface)
        if state is None or not state.isup:
            continue
        kind = _kind(interface, state.flags)
        for each in addresses:
            if each.family not in (socket.AF_INET, socket.AF_INET6) or "%" in each.address:
                continue  # an address of one link only means nothing to who hears of it from elsewhere
            found.append(Local(kind, interface, each.address, _prefix(each.address, each.netmask)))
    return found


def _kind(interface: str, flags: str) -> Kind:
    words = flags.split(",")
    if "loopback" in words:
        return Kind.LOOPBACK
    if _CONTAINERS.match(interface):
        return Kind.CONTAINERS
    if "pointopoint" in words or _VPN.match(interface):
        return Kind.VPN
    return Kind.LAN


def _prefix(address: str, netmask: str | None) -> int:
    whole = 128 if ":" in address else 32
    if not netmask:
        return whole
    return bin(int(ipaddress.ip_address(_plain(netmask)))).count("1")


def _one_family(addresses: list[Local]) -> list[Local]:
    """IPv4 where there is any: a node that listens at every address listens at those."""
    old = [each for each in addresses if ":" not in each.address]
    return old or addresses


def _plain(address: str) -> str:
    return address.partition("%")[0]

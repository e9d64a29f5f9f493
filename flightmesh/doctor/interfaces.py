"""Whether this machine has an address that other machines can use."""

from __future__ import annotations

from collections.abc import Sequence

from flightmesh.discovery.interfaces import Kind, Local, check_interfaces, local_addresses
from flightmesh.doctor.findings import Finding, note, ok, wrong
from flightmesh.errors import InvalidConfig

CHECK = "interfaces"
_KINDS = {Kind.LAN: "", Kind.VPN: " (VPN)", Kind.CONTAINERS: " (containers)", Kind.LOOPBACK: " (this machine alone)"}


def look_at_interfaces(chosen: Sequence[str]) -> list[Finding]:
    """`chosen`: names or addresses; none: all."""
    try:
        check_interfaces(chosen)
    except InvalidConfig as error:
        return [wrong(CHECK, error.message, f"choose others with --interface or node.interfaces: {error.hint}")]
    local = local_addresses(chosen)
    if not local:
        missing = f"none of the interfaces {', '.join(chosen)} is up" if chosen else "no network interface is up"
        return [wrong(CHECK, missing, "bring one up (`ip link`), or choose another with --interface")]
    shown = ", ".join(_text(each) for each in local)
    if all(each.kind is Kind.LOOPBACK for each in local):
        return [note(CHECK, f"only {shown} is up: no other machine can reach this one", "connect this machine to a network")]
    return [ok(CHECK, shown)]


def _text(local: Local) -> str:
    return f"{local.interface} {local.address}{_KINDS[local.kind]}"

"""Whether mDNS works here: this machine hears its own announcement, and others' answers.

What always holds: what is announced is of a kind that no node looks for.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence

from zeroconf import ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

from flightmesh.discovery.found import FoundNode, location
from flightmesh.discovery.interfaces import Local
from flightmesh.discovery.multicast import Multicast, send
from flightmesh.doctor.findings import Finding, note, ok, wrong

CHECK = "multicast"
SERVICE = "_fm-doctor._tcp.local."
SECONDS = 3.0
_FIREWALL = (
    "let UDP port 5353 through this machine's firewall (group 224.0.0.251); where another program holds the port, have it "
    "share it (avahi: disallow-other-stacks=no); or do without: --driver HOST:PORT"
)
_ALONE = (
    "if there are any, what is between swallows multicast: another subnet, a VLAN, a Wi-Fi that isolates its stations, a "
    "firewall there; --driver HOST:PORT does without"
)


def look_at_multicast(interfaces: Sequence[str], found: Sequence[FoundNode]) -> list[Finding]:
    """`found`: the nodes that answered a question just now."""
    trouble = _hear_oneself(interfaces)
    if trouble:
        return [wrong(CHECK, trouble, _FIREWALL)]
    heard = ok(CHECK, "mDNS works on this machine: it hears its own announcement")
    if not found:
        return [heard, note(CHECK, "no flightmesh node has answered", _ALONE)]
    nodes = ", ".join(f"{node.role} {node.name} of {node.mesh} at {location(node.hosts[0], node.port)}" for node in found)
    return [heard, ok(CHECK, f"flightmesh nodes that have answered: {nodes}")]


def _hear_oneself(interfaces: Sequence[str]) -> str:
    """What stands in the way; empty: nothing."""
    name = f"{secrets.token_hex(4)}.{SERVICE}"
    listener = _Listener(name)
    browsers: list[ServiceBrowser] = []
    announcer = Multicast(interfaces, lambda zeroconf, local: _announce(zeroconf, name, local), _nothing)
    hearer = Multicast(interfaces, lambda zeroconf, _: browsers.append(ServiceBrowser(zeroconf, SERVICE, listener)), _nothing)
    try:
        trouble = announcer.trouble or hearer.trouble
        if trouble:
            return trouble
        return "" if listener.heard.wait(SECONDS) else f"this machine has not heard its own announcement in {SECONDS:g} s"
    finally:
        for browser in browsers:
            browser.cancel()
        hearer.close()
        announcer.close()


def _announce(zeroconf: Zeroconf, name: str, local: Sequence[Local]) -> None:
    host = f"{name.partition('.')[0]}.local."
    service = ServiceInfo(SERVICE, name, port=9, server=host, parsed_addresses=[each.address for each in local])
    send(zeroconf, zeroconf.async_register_service(service, cooperating_responders=True))


def _nothing(_: Zeroconf) -> None:
    """A machine whose addresses change meanwhile is asked anew."""


class _Listener(ServiceListener):
    def __init__(self, name: str) -> None:
        self._name = name
        self.heard = threading.Event()

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        if name == self._name:
            self.heard.set()

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.add_service(zc, type_, name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """The goodbye of another doctor."""

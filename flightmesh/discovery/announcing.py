"""A node makes itself known on the LAN: `_flightmesh._tcp.local.`, one instance a node.

Handed what the node says of itself; hands it to whoever asks by mDNS. What always holds: the instance's name is the node's id,
so no two nodes of a LAN share one, whatever people call them; the machine's addresses are announced as they are now; who
closes says goodbye.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from zeroconf import ServiceInfo, Zeroconf

from flightmesh.discovery.found import FoundNode
from flightmesh.discovery.interfaces import Local
from flightmesh.discovery.multicast import Multicast, send
from flightmesh.discovery.records import to_service

LAST_ANSWERS_SECONDS = 0.15


class Announcer:
    """Announces from when it is made until it is closed. Any thread may call."""

    def __init__(self, node: FoundNode, interfaces: Sequence[str] = ()) -> None:
        self._lock = threading.Lock()
        self._node = node
        self._service: ServiceInfo | None = None
        self._zeroconf: Zeroconf | None = None
        self._multicast = Multicast(interfaces, self._announce, self._forget)

    def update(self, node: FoundNode) -> None:
        """The node says something else of itself. Its id stays."""
        with self._lock:
            if node == self._node:
                return
            if node.node != self._node.node:
                raise ValueError(f"{self._node.node} cannot become {node.node}: announce another node with another announcer")
            self._node = node
            zeroconf, addresses = self._zeroconf, self._multicast.addresses
        if zeroconf is not None:
            self._announce(zeroconf, addresses)

    def close(self) -> None:
        """Says goodbye and ends."""
        self._multicast.close(self._say_goodbye)

    def _announce(self, zeroconf: Zeroconf, addresses: tuple[Local, ...]) -> None:
        with self._lock:
            service = to_service(self._node, [each.address for each in addresses])
            first, self._zeroconf, self._service = self._zeroconf is not zeroconf, zeroconf, service
            if first:  # nobody else can have the name, so nobody is asked for it, which would take more than a second
                send(zeroconf, zeroconf.async_register_service(service, cooperating_responders=True))
            else:
                send(zeroconf, zeroconf.async_update_service(service))

    def _forget(self, zeroconf: Zeroconf) -> None:
        """Who moves to other addresses does not say goodbye."""
        with self._lock:
            if self._service is not None and self._zeroconf is zeroconf:
                assert zeroconf.loop is not None, "a Zeroconf that is open has a loop"
                zeroconf.loop.call_soon_threadsafe(zeroconf.registry.async_remove, self._service)
            self._service = self._zeroconf = None

    def _say_goodbye(self, zeroconf: Zeroconf) -> None:
        """Answers to earlier questions may still be on their way: so a goodbye at once, and another as the last word. The two
        differ, because listeners drop a packet that they have just heard."""
        service = self._service
        self._forget(zeroconf)
        if service is None:
            return
        zeroconf.send(zeroconf.generate_service_broadcast(service, 0))
        time.sleep(LAST_ANSWERS_SECONDS)
        zeroconf.send(zeroconf.generate_service_broadcast(service, 0, broadcast_addresses=False))

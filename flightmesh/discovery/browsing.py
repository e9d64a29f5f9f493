"""The nodes that are on the LAN now, as their announcements tell.

Handed the interfaces to listen at; hands on FoundNodes. What always holds: a node that said goodbye is gone at once, one that
went without a word stays until its records expire, so what is found may not be there; of two that claim one address the one
heard last comes first.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from zeroconf import DNSQuestionType, ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

from flightmesh.discovery.found import FoundNode
from flightmesh.discovery.interfaces import Local, best_first
from flightmesh.discovery.multicast import Multicast
from flightmesh.discovery.records import SERVICE, from_service

LOG = logging.getLogger(__name__)
RESOLVE_MILLISECONDS = 1000
TO_ALL = DNSQuestionType.QM
"""Answers come by multicast: within 0.12 s, or when the second in which they were given last is over. Otherwise the first are
sent to this machine at once, and where several of its processes listen each answer reaches any one of them."""


class NodeBrowser:
    """Listens from when it is made until it is closed. Any thread may call."""

    def __init__(self, interfaces: Sequence[str] = (), answers: DNSQuestionType | None = None) -> None:
        self._answers = answers
        self._changed = threading.Condition()
        self._nodes: dict[str, FoundNode] = {}
        self._count = 0
        self._last = 0.0
        self._closed = False
        self._asking: ServiceBrowser | None = None
        self._multicast = Multicast(interfaces, self._browse, self._stop)

    @property
    def count(self) -> int:
        """How many times something has changed."""
        return self._count

    def nodes(self) -> tuple[FoundNode, ...]:
        """Who is there now, the one heard last first."""
        local = self._multicast.addresses
        with self._changed:
            nodes = list(self._nodes.values())
        return tuple(node.at(best_first(node.hosts, local)) for node in reversed(nodes))

    def wait_past(self, count: int, seconds: float) -> None:
        """Until something has changed since `count` was the count, or so many seconds have passed, or it was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != count or self._closed, seconds)

    def settle(self, seconds: float, quiet: float, sought: Callable[[FoundNode], bool]) -> None:
        """Until a node that is sought was found and nothing has changed for `quiet` seconds; at most so many seconds."""
        end = time.monotonic() + seconds
        with self._changed:
            while (now := time.monotonic()) < end and not self._closed:
                due = self._last + quiet if any(sought(node) for node in self._nodes.values()) else end
                if due <= now:
                    return
                self._changed.wait(min(due, end) - now)

    def close(self) -> None:
        """Ends; whoever waits goes on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._stop()
        self._multicast.close()

    def _browse(self, zeroconf: Zeroconf, _: tuple[Local, ...]) -> None:
        """Asks who is there: at first, and whenever other addresses may lead to other nodes, or better to those known."""
        with self._changed:
            if self._closed:
                return
            self._nodes.clear()
            self._tell()
            self._asking = ServiceBrowser(zeroconf, SERVICE, listener=_Listener(self), question_type=self._answers)

    def _stop(self, _: Zeroconf | None = None) -> None:
        with self._changed:
            asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()

    def heard(self, service: str, node: FoundNode | None) -> None:
        """What the records of an instance tell now; None: it has gone, or never was what we look for."""
        with self._changed:
            if self._nodes.get(service) == node:
                return
            self._nodes.pop(service, None)
            if node is not None:
                self._nodes[service] = node
            self._tell()

    def _tell(self) -> None:
        self._count += 1
        self._last = time.monotonic()
        self._changed.notify_all()


class _Listener(ServiceListener):
    """Called by zeroconf's own thread for browsers."""

    def __init__(self, browser: NodeBrowser) -> None:
        self._browser = browser

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        info = ServiceInfo(type_, name)
        if not info.load_from_cache(zc) and not info.request(zc, RESOLVE_MILLISECONDS):
            LOG.debug("%s was announced, and does not answer", ascii(name))
            return
        node = from_service(info)
        if node is None:
            LOG.debug("%s is not of the form of a flightmesh node", ascii(name))
        self._browser.heard(name, node)

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.add_service(zc, type_, name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self._browser.heard(name, None)

"""zeroconf on the right interfaces, and kept on them while a machine's addresses change.

Handed the interfaces that were chosen; hands on a Zeroconf, another one whenever the machine's addresses are others, and the
addresses. What always holds: a machine where multicast does not work is said so once and loses discovery, nothing else; it is
tried again as long as this is open.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from zeroconf import Error, IPVersion, Zeroconf

from flightmesh.discovery.interfaces import Local, local_addresses

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
SEND_SECONDS = 10.0
"""A machine so busy that zeroconf's thread does not come to its turn for so long is no use."""
FAILURES = (OSError, Error, RuntimeError, TimeoutError)
Ready = Callable[[Zeroconf, tuple[Local, ...]], None]
"""Told of a Zeroconf that was opened just now."""
Leave = Callable[[Zeroconf], None]
"""Told of one that is about to be closed, because the addresses have changed."""


class Multicast:
    """Opens when it is made. `ready` is called by the maker's thread first, then by a thread of its own, as is `leave`."""

    def __init__(self, interfaces: Sequence[str], ready: Ready, leave: Leave) -> None:
        self._chosen = tuple(interfaces)
        self._ready = ready
        self._leave = leave
        self._addresses: tuple[Local, ...] = ()
        self._zeroconf: Zeroconf | None = None
        self._said: str | None = None
        self._closed = threading.Event()
        self._look()
        self._watcher = threading.Thread(target=self._watch, name="discovery-addresses", daemon=True)
        self._watcher.start()

    @property
    def addresses(self) -> tuple[Local, ...]:
        """Those of this machine, best first."""
        return self._addresses

    @property
    def trouble(self) -> str | None:
        """Why it does not work now."""
        return self._said

    def close(self, farewell: Leave | None = None) -> None:
        """Ends, after a farewell if there is one to be said. A second time it does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._watcher.join()
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is not None:
            if farewell is not None:
                _attempt(farewell, zeroconf)
            _attempt(Zeroconf.close, zeroconf)

    def _watch(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        addresses = local_addresses(self._chosen)
        if self._zeroconf is not None and addresses == self._addresses:
            return
        if not addresses:
            self._complain("no network interface is up")
            return
        try:
            self._follow(addresses)
            self._said = None
        except FAILURES as failure:
            self._complain(str(failure) or type(failure).__name__)
            broken, self._zeroconf = self._zeroconf, None
            if broken is not None:
                _attempt(Zeroconf.close, broken)

    def _follow(self, addresses: tuple[Local, ...]) -> None:
        """A Zeroconf can change its interfaces, but not where an interface has got another address."""
        before, self._zeroconf = self._zeroconf, None
        if before is not None:
            LOG.info("this machine's addresses are now %s", ", ".join(each.address for each in addresses))
            self._leave(before)
            _attempt(Zeroconf.close, before)
        hosts = _one_an_interface(addresses)
        self._zeroconf = Zeroconf(interfaces=hosts, ip_version=_family(hosts), use_asyncio=False)
        self._addresses = addresses
        self._ready(self._zeroconf, addresses)

    def _complain(self, reason: str) -> None:
        if self._said != reason:
            self._said = reason
            LOG.warning("mDNS does not work here: %s; `flightmesh doctor` says more, --driver HOST:PORT does without", reason)


def send(zeroconf: Zeroconf, records: Coroutine[Any, Any, Awaitable[Any]]) -> None:
    """Has records go out, the first time at once. Their repetitions are not waited for."""
    assert zeroconf.loop is not None, "a Zeroconf that is open has a loop"
    asyncio.run_coroutine_threadsafe(records, zeroconf.loop).result(SEND_SECONDS)


def _attempt(what: Leave, zeroconf: Zeroconf) -> None:
    try:
        what(zeroconf)
    except FAILURES as failure:
        LOG.info("mDNS was not closed in order: %s", str(failure) or type(failure).__name__)


def _one_an_interface(addresses: Sequence[Local]) -> list[str]:
    """A group is joined once an interface."""
    return list({each.interface: each.address for each in reversed(addresses)}.values())[::-1]


def _family(hosts: Sequence[str]) -> IPVersion:
    new = [":" in host for host in hosts]
    return IPVersion.V6Only if all(new) else IPVersion.All if any(new) else IPVersion.V4Only

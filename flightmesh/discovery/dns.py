"""Drivers behind a DNS name: every address of it, as a headless service of Kubernetes answers.

What always holds: the name is looked up anew at each asking, since the addresses behind it come and go; a resolver that hangs
costs its deadline, and there is never more than one look-up under way.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import replace

from flightmesh.discovery.found import DriverAddress
from flightmesh.discovery.static import read_location

LOG = logging.getLogger(__name__)
LOOK_UP_SECONDS = 5.0
Resolve = Callable[[str, int], list[str]]
"""The addresses of a host. Raises OSError."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver gives, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class DnsSource:
    """`NAME` or `NAME:PORT`. Raises InvalidConfig."""

    def __init__(self, name: str, look_up: Resolve = resolve, seconds: float = LOOK_UP_SECONDS) -> None:
        self._named = read_location(name, "dns")
        self._look_up = look_up
        self._seconds = seconds
        self._closed = threading.Event()
        self._under_way: _LookUp | None = None
        self._said = ""

    def candidates(self) -> tuple[DriverAddress, ...]:
        """What the name leads to now; nothing where it cannot be looked up."""
        asked = self._under_way or _LookUp(self._look_up, self._named)
        self._under_way = None
        answer = asked.answer(self._seconds)
        if answer is None:
            self._under_way = asked
            self._say(f"no answer in {self._seconds:g} s")
            return ()
        if isinstance(answer, OSError):
            self._say(answer.strerror or str(answer))
            return ()
        self._said = ""
        return tuple(replace(self._named, host=host, source=f"DNS {self._named.host}") for host in dict.fromkeys(answer))

    def wait_changed(self, seconds: float) -> None:
        """DNS says nothing by itself: the name is to be looked up again."""
        self._closed.wait(seconds)

    def waiting_for(self) -> str:
        """The name, and what is wrong with it."""
        why = f" ({self._said})" if self._said else ""
        return f"a driver at the DNS name {self._named.host}, port {self._named.port}{why}"

    def close(self) -> None:
        """Whoever waits goes on."""
        self._closed.set()

    def _say(self, reason: str) -> None:
        if self._said != reason:
            self._said = reason
            LOG.warning("cannot look up %s: %s", self._named.host, reason)


class _LookUp:
    """One look-up, in a thread of its own: the system's resolver knows no deadline."""

    def __init__(self, look_up: Resolve, named: DriverAddress) -> None:
        self._answer: list[str] | OSError | None = None
        self._thread = threading.Thread(target=self._run, args=(look_up, named), name="dns-look-up", daemon=True)
        self._thread.start()

    def answer(self, seconds: float) -> list[str] | OSError | None:
        """None: not yet."""
        self._thread.join(seconds)
        return self._answer

    def _run(self, look_up: Resolve, named: DriverAddress) -> None:
        try:
            self._answer = look_up(named.host, named.port)
        except OSError as failure:
            self._answer = failure
        except UnicodeError:  # a label that no DNS name has
            self._answer = OSError(f"{named.host!r} is no name of a host")

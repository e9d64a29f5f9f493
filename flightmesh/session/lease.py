"""Keeps a session alive at its driver while it is open and nobody uses it.

Handed a line to the driver; says from time to time that the session is still there. What always holds: one light call a
third of the lease; the thread ends with `stop`; a driver that does not answer is not this thread's business: the next query
says so.
"""

from __future__ import annotations

import logging
import threading

from flightmesh.errors import FlightmeshError
from flightmesh.session.driver_link import DriverLink

LOG = logging.getLogger(__name__)


class Lease:
    """The thread that renews one session's lease."""

    def __init__(self, link: DriverLink) -> None:
        self._link = link
        self._every = max(0.1, link.opened.lease_seconds / 3)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="flightmesh-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread. Repeating it is harmless."""
        self._stopped.set()

    def _renew(self) -> None:
        while not self._stopped.wait(self._every):
            try:
                self._link.ping()
            except FlightmeshError as error:
                LOG.debug("the session's lease was not renewed: %s", error.message)

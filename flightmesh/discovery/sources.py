"""Where a worker learns of drivers: one small interface, whoever tells.

What always holds: a source only names addresses to try, in the order to try them in; that a driver is there and is the right
one shows when it is called. One thread asks a source, any thread may close it.
"""

from __future__ import annotations

from typing import Protocol

from flightmesh.discovery.found import DriverAddress


class DriverSource(Protocol):
    """Told addresses, looked up or heard."""

    def candidates(self) -> tuple[DriverAddress, ...]:
        """Where a driver may be now, best first. It may take the seconds of a look-up, and never raises for what is not
        there."""

    def wait_changed(self, seconds: float) -> None:
        """Until there may be other candidates than at the last asking, or the source was closed; at most so many seconds."""

    def waiting_for(self) -> str:
        """What is sought, for people, as it stands behind `waiting for`; why what was found at the last asking will not do."""

    def close(self) -> None:
        """Nothing is sought any more."""

"""The in-process transport: messages between a driver and a worker that live in one process.

Handed messages and whom they are for; hands them on, by reference or, when asked, through the wire codec as a mesh would.
What always holds: messages between two nodes arrive once, in order, in the receiver's own turn of the event loop. (The
Flight transport stands beside this one behind the same protocol.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from flightmesh.ids import WorkerId
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.messages import DriverMessage, WorkerMessage


class Transport(Protocol):
    """How messages leave an event loop."""

    def to_worker(self, worker: WorkerId, message: WorkerMessage) -> None:
        """Sends an order."""

    def to_driver(self, worker: WorkerId, message: DriverMessage) -> None:
        """Sends a report of `worker`."""


class ByReference:
    """Hands messages over as they are."""

    def __init__(
        self, worker: Callable[[WorkerId, WorkerMessage], None], driver: Callable[[WorkerId, DriverMessage], None]
    ) -> None:
        self._worker = worker
        self._driver = driver

    def to_worker(self, worker: WorkerId, message: WorkerMessage) -> None:
        """Sends an order."""
        self._worker(worker, message)

    def to_driver(self, worker: WorkerId, message: DriverMessage) -> None:
        """Sends a report of `worker`."""
        self._driver(worker, message)


class ThroughCodec(ByReference):
    """Writes every message as bytes and reads it back, so that what a session runs is what a mesh could send."""

    def to_worker(self, worker: WorkerId, message: WorkerMessage) -> None:
        """Sends an order."""
        super().to_worker(worker, decode(encode(message, WorkerMessage), WorkerMessage))

    def to_driver(self, worker: WorkerId, message: DriverMessage) -> None:
        """Sends a report of `worker`."""
        super().to_driver(worker, decode(encode(message, DriverMessage), DriverMessage))

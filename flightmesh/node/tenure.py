"""Which incarnation a worker has now: the id that its driver gave it, and everything that it holds under that id.

Handed incarnations by the membership's thread; hands them to Flight handlers. What always holds: a handler gets an incarnation
that is there, or an error; one that asks while the worker registers waits, because a driver sends its first orders at once.
"""

from __future__ import annotations

import threading
import time

from flightmesh.dataclass import dataclass
from flightmesh.errors import Cancelled, Fenced, NodeUnavailable
from flightmesh.ids import WorkerId
from flightmesh.node.table_parts import TableParts
from flightmesh.runtime.worker_loop import WorkerLoop
from flightmesh.transport.service import Call

REGISTERING_SECONDS = 5.0
"""How long a call waits for a registration that is under way."""
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One registration's worth of a worker."""

    loop: WorkerLoop
    parts: TableParts


class Tenure:
    """Any thread may call."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._now: Incarnation | None = None

    @property
    def now(self) -> Incarnation | None:
        """The incarnation, if there is one."""
        return self._now

    def begin(self, incarnation: Incarnation) -> None:
        """The worker has registered."""
        with self._changed:
            self._now = incarnation
            self._changed.notify_all()

    def end(self) -> Incarnation | None:
        """The worker's id is worth nothing any more."""
        with self._changed:
            ended, self._now = self._now, None
            return ended

    def present(self, call: Call) -> Incarnation:
        """The incarnation, waited for. Raises NodeUnavailable when the worker does not register."""
        end = time.monotonic() + REGISTERING_SECONDS
        with self._changed:
            while self._now is None:
                if call.is_cancelled():
                    raise Cancelled("the caller has gone")
                if time.monotonic() >= end:
                    raise NodeUnavailable("this worker is not registered with a driver", hint="try again when it is")
                self._changed.wait(LOOK_SECONDS)
            return self._now

    def of(self, worker: WorkerId, driver: str, call: Call) -> Incarnation:
        """The incarnation `worker` of the driver `driver`. Raises Fenced when another one is there."""
        here = self.present(call)
        if (here.loop.worker, here.loop.driver) != (worker, driver):
            raise Fenced(f"worker {worker} is not here any more")
        return here

"""A simulated client: it reads its result from the workers that the driver names, in its own manner, or does not."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from flightmesh.errors import FlightmeshError
from flightmesh.ids import JobId, WorkerId
from tests.simulation.agenda import Bell
from tests.simulation.graphs import Row
from tests.simulation.streams import Stream, rows_of

if TYPE_CHECKING:
    from tests.simulation.mesh import Mesh


class Manner(enum.Enum):
    """How a client reads: all partitions together, one after the other, late, with pauses, not to the end, not at all."""

    TOGETHER = "together"
    IN_TURN = "in turn"
    LATE = "late"
    SLOW = "slow"
    DROPS = "drops"
    NEVER = "never"


class Client:
    """Who wants one job's result. `rows` is whole once `is_done` without an `error`; `was_heard`: some worker knows of its
    reading, and so of its letting go."""

    def __init__(self, mesh: Mesh, job: JobId, manner: Manner) -> None:
        self.manner = manner
        self.rows: list[Row] = []
        self.error: FlightmeshError | None = None
        self.is_done = False
        self.done_at = 0.0
        self.was_heard = False
        self._mesh = mesh
        self._job = job
        self._places: tuple[WorkerId, ...] = ()
        self._streams: dict[int, Stream] = {}
        self._read: set[int] = set()
        self._bell = Bell(mesh.agenda, self._turn)

    def placed(self, places: tuple[WorkerId, ...]) -> None:
        """Told where the result will be."""
        if self.is_done:
            return
        self._places = places
        chance = self._mesh.agenda.chance
        match self.manner:
            case Manner.NEVER:
                self.is_done = True
            case Manner.LATE:
                self._mesh.agenda.after(chance.uniform(1.0, 6.0), self._bell.ring)
            case Manner.DROPS:
                self._bell.ring()
                self._mesh.agenda.after(chance.uniform(0.0, 2.0), self._drop)
            case _:
                self._bell.ring()

    def job_failed(self, error: FlightmeshError) -> None:
        """Told by the driver that the job has failed before it had a place."""
        if not self._places:
            self._finish(error)

    def _turn(self) -> None:
        if self.is_done:
            return
        try:
            while not self.is_done and self._take_one():
                if self.manner is Manner.SLOW:
                    self._mesh.agenda.soon(self._bell.ring, 0.5)
                    return
        except FlightmeshError as error:
            self._finish(error)

    def _take_one(self) -> bool:
        self._open()
        for partition in sorted(self._streams):
            stream = self._streams[partition]
            entry = stream.take()
            if entry is not None:
                self.rows.extend(rows_of(entry.batch))
                return True
            if stream.ended:
                self._read.add(partition)
                del self._streams[partition]
                if len(self._read) == len(self._places):
                    self._finish(None)
                return True
        return False

    def _open(self) -> None:
        """Opens what it wants to read now."""
        for partition, worker in enumerate(self._places):
            if self.manner is Manner.IN_TURN and self._streams:
                return
            if partition not in self._read and partition not in self._streams:
                stream = Stream(self._mesh.agenda, f"partition {partition} of job {self._job} at {worker}")
                self._streams[partition] = stream
                self._mesh.ask_result(worker, self._job, partition, stream)
                stream.listen(self._bell.ring)

    def _drop(self) -> None:
        if not self.is_done:
            self.rows.clear()
            self._finish(None)

    def _finish(self, error: FlightmeshError | None) -> None:
        self.is_done = True
        self.done_at = self._mesh.agenda.now
        self.error = error
        self.was_heard = bool(self._read) or any(stream.is_connected for stream in self._streams.values())
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

"""A job of the mesh whose rows the driver itself reads: for CREATE TABLE AS, EXPLAIN ANALYZE, a plan's `write`.

Handed a submitted job; hands on its batches as they come from the workers. What always holds: who stops reading, or loses the
caller it works for, cancels the job; a stream that breaks because the job failed raises the job's own error.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Generator
from functools import partial

import pyarrow as pa

from flightmesh.driver.record import JobRecord, Progress
from flightmesh.errors import FlightmeshError, NodeUnavailable, ResultMoved, StreamBroken, UnknownJob, from_wire
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.ids import JobId
from flightmesh.node.attending import caller_check
from flightmesh.protocol.tickets import ResultTicket, sign
from flightmesh.runtime.gathering import gathered
from flightmesh.runtime.job_waits import ResultPlace
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.session.partition_readers import Nothing, Order, PartitionReaders

LOOK_SECONDS = 0.1
"""How often who waits looks whether anybody still wants the rows."""
BLAME_SECONDS = 3.0
"""How long a broken stream waits for the job's own error."""
RELEASE_SECONDS = 5.0
_BROKEN = (StreamBroken, NodeUnavailable, ResultMoved, UnknownJob)


class MeshJob:
    """A running or ended job of a mesh."""

    def __init__(self, mesh: MeshDriver, job: JobId, order: Order, budget: MemoryBudget) -> None:
        self.job = job
        self._mesh = mesh
        self._order = order
        self._budget = budget
        self._check = caller_check()

    def attended(self) -> MeshJob:
        """The job, read from now on for the caller that this thread works for."""
        self._check = caller_check()
        return self

    @property
    def progress(self) -> Progress:
        """How far it is."""
        said = self._mesh.status(self.job)
        return Progress(said.stages_done, said.stages, said.tasks_done, said.tasks, said.rows, said.bytes)

    @property
    def record(self) -> JobRecord | None:
        """What it did, once it has its outcome."""
        return self._mesh.record(self.job) if self._mesh.wait_ended(self.job, 0) else None

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """The result as it comes, once. Closing the iterator early cancels the job."""
        readers: PartitionReaders | None = None
        whole = False
        try:
            places = wait_placed(self._mesh, self.job, self._check)
            tickets = result_tickets(self.job, len(places), self._mesh.key)
            opens = [partial(self._mesh.peers.get, place.mesh, ticket) for place, ticket in zip(places, tickets, strict=True)]
            readers = PartitionReaders(opens, self._order)
            while (batch := self._next(readers)) is not None:
                yield batch
            whole = self._mesh.wait_ended(self.job, BLAME_SECONDS)
        except FlightmeshError as error:
            raise self._cause(error) from None
        finally:
            if readers is not None:
                readers.close()
            if not whole:
                self.cancel()
        self.wait_released(RELEASE_SECONDS)

    def gather(self) -> list[pa.RecordBatch]:
        """The whole result, once. Raises ResourceExhausted past the driver's memory budget."""
        return gathered(self.batches(), self._budget)

    def cancel(self, reason: str = "the query was cancelled") -> None:
        """Ends the job. Harmless when it has ended."""
        self._mesh.cancel(self.job, reason)

    def wait_released(self, seconds: float | None = None) -> bool:
        """Waits until nothing of the job is left on any worker; false when that took longer."""
        return self._mesh.wait_forgotten(self.job, threading.TIMEOUT_MAX if seconds is None else seconds)

    def _next(self, readers: PartitionReaders) -> pa.RecordBatch | None:
        while True:
            got = readers.next(LOOK_SECONDS)
            if got is Nothing.MORE:
                return None
            if got is not Nothing.YET:
                return got
            self._check()
            self._raise_failure()

    def _raise_failure(self) -> None:
        error = self._mesh.status(self.job).error
        if error is not None:
            raise from_wire(error)

    def _cause(self, error: FlightmeshError) -> FlightmeshError:
        """What the job failed with, if a stream merely broke."""
        if isinstance(error, _BROKEN) and self._mesh.wait_ended(self.job, BLAME_SECONDS):
            known = self._mesh.status(self.job).error
            return error if known is None else from_wire(known)
        return error


def wait_placed(mesh: MeshDriver, job: JobId, check: Callable[[], None]) -> tuple[ResultPlace, ...]:
    """Where a job's result will be, however long it queues. Cancels the job when `check` raises."""
    while True:
        places = mesh.try_placed(job, LOOK_SECONDS)
        if places is not None:
            return places
        try:
            check()
        except FlightmeshError as error:
            mesh.cancel(job, error.message)
            raise


def result_tickets(job: JobId, partitions: int, key: bytes) -> tuple[bytes, ...]:
    """A ticket for each partition of a job's result, which nobody can guess."""
    return tuple(sign(ResultTicket(job, number, secrets.token_bytes(16)), key) for number in range(partitions))

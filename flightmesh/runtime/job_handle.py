"""One submitted job as its client sees it: the result's batches, progress, cancelling, the record at the end.

Handed news by the event loop; read from any thread. What always holds: a job that failed raises its error at the reader's
next step; reading to the end, closing early and cancelling all release the job; rows that are gathered count against the memory
budget while they are.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import pyarrow as pa

from flightmesh.driver.record import JobRecord, JobState, Progress
from flightmesh.errors import FlightmeshError, from_wire
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.log import EdgeLog
from flightmesh.ids import JobId
from flightmesh.runtime.gathering import gathered

SETTLE_SECONDS = 1.0
"""How long an error waits for the job's other tasks to end, so that its memory is free again when the user hears of it."""


class JobControl(Protocol):
    """What a handle may ask of its runtime."""

    def cancel(self, job: JobId, reason: str) -> None:
        """Ends a job, or releases one that has ended."""

    def result_taken(self, job: JobId) -> None:
        """Says that the result has been read."""


class JobHandle:
    """A running or ended job."""

    def __init__(self, job: JobId, result: EdgeLog, progress: Progress, control: JobControl, budget: MemoryBudget) -> None:
        self.job = job
        self.progress = progress
        self._reader = result.reader(range(result.plan.buckets))
        self._control = control
        self._budget = budget
        self._record: JobRecord | None = None
        self._error: FlightmeshError | None = None
        self._ended = threading.Event()
        self._released = threading.Event()

    @property
    def record(self) -> JobRecord | None:
        """The record, once the job has its outcome."""
        return self._record

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """The result as it comes, once. Closing the iterator early, or an interrupt while it waits, cancels the job."""
        whole = False
        try:
            while True:
                self._raise_error()
                batch = self._reader.next(self._raise_error, _not_blocking)
                if batch is None:
                    break
                yield batch
            self._ended.wait()
            self._raise_error()
            whole = True
            self._control.result_taken(self.job)
        except FlightmeshError:
            self._released.wait(SETTLE_SECONDS)
            raise
        finally:
            if not whole:
                self.cancel()
        self._released.wait()

    def gather(self) -> list[pa.RecordBatch]:
        """The whole result, once. Raises ResourceExhausted past the budget."""
        return gathered(self.batches(), self._budget)

    def cancel(self, reason: str = "the query was cancelled") -> None:
        """Ends the job, whatever it is doing. Harmless when it has ended."""
        self._control.cancel(self.job, reason)

    def wait_released(self, seconds: float | None = None) -> bool:
        """Waits until nothing of the job is left anywhere; false when that took longer."""
        return self._released.wait(seconds)

    def note_progress(self, progress: Progress) -> None:
        """The event loop's news."""
        self.progress = progress

    def note_end(self, record: JobRecord) -> None:
        """The event loop's news."""
        self._record = record
        if record.state is not JobState.SUCCEEDED and record.error is not None:
            self._error = from_wire(record.error)
        self._ended.set()

    def note_failure(self, error: FlightmeshError) -> None:
        """The runtime broke down under the job."""
        self._error = error
        self._ended.set()
        self._released.set()

    def note_released(self) -> None:
        """The event loop's news."""
        self._released.set()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error


def _not_blocking() -> AbstractContextManager[object]:
    return nullcontext()

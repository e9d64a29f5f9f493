"""One query that runs on a mesh, as the client that reads its result sees it: what `JobHandle` is in one process.

Handed a line to the driver and what to run; hands on the result's batches, pulled side by side from the workers that hold them.
What always holds: rows are never doubled: a stream that breaks ends the reading with a retryable error, the driver's own where
it knows one; leaving early, however, cancels the job on the mesh; while no rows come the driver is asked how the job stands, so
that a lost node is an error and never a silence.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator
from functools import partial

import pyarrow as pa

from flightmesh.driver.record import JobRecord, JobState, Progress
from flightmesh.errors import (
    Cancelled,
    FlightmeshError,
    InternalError,
    NodeUnavailable,
    ResultMoved,
    StreamBroken,
    UnknownJob,
    from_wire,
)
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.ids import JobId
from flightmesh.protocol.client_messages import AskJob, JobStatus, Run
from flightmesh.protocol.codec import decode
from flightmesh.runtime.gathering import gathered
from flightmesh.session.driver_link import DriverLink
from flightmesh.session.partition_readers import Nothing, Order, PartitionReaders
from flightmesh.session.silence import ANSWER_SECONDS, SILENT_SECONDS, Silence
from flightmesh.transport.service import Info

LOG = logging.getLogger(__name__)
STALL_SECONDS = 1.0
"""How long no batch may come before the driver is asked how the job stands."""
BLAME_SECONDS = 3.0
"""How long a broken stream waits for the driver to find out what broke."""
_BROKEN = (StreamBroken, NodeUnavailable, ResultMoved, UnknownJob)
_ENDED = (JobState.SUCCEEDED.value, JobState.FAILED.value, JobState.CANCELLED.value)


class RemoteJob:
    """A running or ended query. Its methods may be called from any thread; its batches are for one."""

    def __init__(self, link: DriverLink, run: Run, budget: MemoryBudget) -> None:
        self._link = link
        self._run = run
        self._budget = budget
        self._job: JobId | None = None
        self._readers: PartitionReaders | None = None
        self._record: JobRecord | None = None
        self._progress = Progress(0, 0, 0, 0)
        self._error: FlightmeshError | None = None
        self._is_over = False
        self._placed = threading.Event()
        self._lock = threading.Lock()
        self._info: Info | None = None
        threading.Thread(target=self._place, name="flightmesh-submit", daemon=True).start()

    @property
    def job(self) -> JobId:
        """Its number, which the driver gives when it is placed."""
        self._wait_placed()
        if self._job is None:
            raise InternalError("a job that was placed has no number")
        return self._job

    @property
    def progress(self) -> Progress:
        """How far it is: asked of the driver now, unless it is over."""
        record = self._record
        if record is not None:
            return record.progress
        if self._job is not None:
            try:
                status = self._status(ANSWER_SECONDS)
            except FlightmeshError as error:  # how far a job is must not end it; its reader will hear of what is wrong
                LOG.debug("no news of job %s: %s", self._job, error.message)
                return self._progress
            self._progress = _progress(status)
        return self._progress

    @property
    def record(self) -> JobRecord | None:
        """What it did, once it has its outcome."""
        if self._record is None and self._is_over and self._job is not None:
            self._record = self._fetch_record(self._job)
        return self._record

    def batches(self) -> Generator[pa.RecordBatch, None, None]:
        """The result as it comes, once. Closing the iterator early, or an interrupt while it waits, cancels the job."""
        readers: PartitionReaders | None = None
        whole = False
        try:
            readers = self._open(self._wait_placed())
            while (batch := self._next(readers)) is not None:
                yield batch
            self._is_over = whole = True
        except FlightmeshError as error:
            raise self._cause(error) from None
        finally:
            if readers is not None:
                readers.close()
            if not whole:
                self.cancel()

    def gather(self) -> list[pa.RecordBatch]:
        """The whole result, once. Raises ResourceExhausted past the session's memory budget, which is this process's."""
        return gathered(self.batches(), self._budget)

    def cancel(self, reason: str = "the query was cancelled") -> None:
        """Ends the job here and on the mesh. Harmless when it has ended."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
            self._error = self._error or Cancelled(reason)
            readers = self._readers
        if readers is not None:
            readers.fail(self._error)
        if self._job is not None:
            self._tell_cancelled(self._job)
        self._placed.set()

    def wait_released(self, seconds: float | None = None) -> bool:
        """Waits until the driver knows the job as ended; false when that took longer."""
        return self._wait_ended(self.job, float("inf") if seconds is None else seconds) is not None

    def _place(self) -> None:
        """Submits, on a thread of its own: a call under way cannot be interrupted, and who waits for it can."""
        try:
            info = self._link.place(self._run)
            job = decode(info.metadata, AskJob).job
        except Exception as failure:
            internal = InternalError(f"a query could not be submitted: {type(failure).__name__}: {failure}")
            with self._lock:
                self._error = self._error or (failure if isinstance(failure, FlightmeshError) else internal)
        else:
            with self._lock:
                self._info, self._job = info, job
                unwanted = self._is_over
            if unwanted:
                self._tell_cancelled(job)
        self._placed.set()

    def _wait_placed(self) -> Info:
        silence = Silence()
        while not self._placed.wait(STALL_SECONDS):
            silence.ask(self._link.ping)
        if self._error is not None:
            raise self._error
        assert self._info is not None
        return self._info

    def _open(self, info: Info) -> PartitionReaders:
        order = Order.STRICT if info.ordered else Order.FREE
        with self._lock:
            if self._error is not None:
                raise self._error
            self._readers = PartitionReaders([partial(self._link.open, endpoint) for endpoint in info.endpoints], order)
            return self._readers

    def _next(self, readers: PartitionReaders) -> pa.RecordBatch | None:
        """The next batch; while there is none, looks after the job."""
        silence = Silence()
        ended_at: float | None = None
        while True:
            got = readers.next(STALL_SECONDS)
            if got is Nothing.MORE:
                return None
            if got is not Nothing.YET:
                return got
            status = silence.ask(lambda: self._status(ANSWER_SECONDS))
            self._raise_failure(status)
            if status is None or status.state not in _ENDED:
                continue
            ended_at = time.monotonic() if ended_at is None else ended_at
            if time.monotonic() - ended_at > SILENT_SECONDS:
                raise StreamBroken(
                    f"no rows of job {self._job} have come for {SILENT_SECONDS:.0f} s though it has ended",
                    hint="a worker that holds the result does not answer: run the query again",
                )

    def _status(self, seconds: float) -> JobStatus:
        assert self._job is not None
        return self._link.ask("status", AskJob(self._job), JobStatus, seconds)

    def _raise_failure(self, status: JobStatus | None) -> None:
        if status is not None and status.error is not None:
            raise from_wire(status.error)

    def _cause(self, error: FlightmeshError) -> FlightmeshError:
        """Why the reading ended: what the driver says of the job, if a stream merely broke."""
        if not isinstance(error, _BROKEN) or self._job is None or self._error is error:
            return self._error or error
        try:
            status = self._wait_ended(self._job, BLAME_SECONDS)
        except NodeUnavailable as gone:
            return gone
        except UnknownJob:
            return error
        if status is not None and status.error is not None:
            return from_wire(status.error)
        return error

    def _wait_ended(self, job: JobId, seconds: float) -> JobStatus | None:
        """How the job ended; None if it has not after so long."""
        end = time.monotonic() + seconds
        pause = threading.Event()
        while True:
            status = self._link.ask("status", AskJob(job), JobStatus, ANSWER_SECONDS)
            if status.state in _ENDED:
                return status
            if time.monotonic() > end:
                return None
            pause.wait(0.05)

    def _fetch_record(self, job: JobId) -> JobRecord | None:
        if self._wait_ended(job, SILENT_SECONDS) is None:
            return None
        return self._link.ask("record", AskJob(job), JobRecord)

    def _tell_cancelled(self, job: JobId) -> None:
        try:
            self._link.tell("cancel", AskJob(job), ANSWER_SECONDS)
        except FlightmeshError as error:  # no driver, or it has forgotten the job: nothing is left to cancel
            LOG.debug("job %s could not be cancelled: %s", job, error.message)


def _progress(status: JobStatus) -> Progress:
    return Progress(status.stages_done, status.stages, status.tasks_done, status.tasks, status.rows, status.bytes)

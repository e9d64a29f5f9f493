"""The embedded runtime: one event loop thread that feeds a driver and a worker in this process and carries out their effects.

Handed stage graphs; hands on job handles. What always holds: only the loop thread touches the actors; it never blocks on
anything but its queue and decides nothing; every thread is a daemon and is gone after `close`.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections import deque
from typing import TypeAlias, assert_never

from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.scan import splits as table_splits
from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.driver.actor import Driver
from flightmesh.driver.events import (
    IN_PROCESS,
    DriverEffect,
    DriverEvent,
    EndJob,
    FenceWorker,
    FindSplits,
    ForgetJob,
    JobCancelled,
    JobOptions,
    JobSubmitted,
    NoteProgress,
    PlaceResult,
    ProbeWorker,
    ReleaseWorker,
    ReportReceived,
    ResultTaken,
    Send,
    SplitsFailed,
    SplitsFound,
    WorkerJoined,
)
from flightmesh.driver.graph_edges import edge_plans
from flightmesh.driver.record import Progress
from flightmesh.errors import Cancelled, InternalError
from flightmesh.ids import JobId, WorkerId
from flightmesh.runtime.idle_memory import IdleMemory
from flightmesh.runtime.job_handle import JobHandle
from flightmesh.runtime.machine import memory_limit
from flightmesh.runtime.task_board import TaskBoard
from flightmesh.runtime.task_run import wire_error
from flightmesh.runtime.threads import Threads
from flightmesh.runtime.worker_resources import worker_resources
from flightmesh.stage.graph import StageGraph
from flightmesh.transport.in_process import ByReference, ThroughCodec, Transport
from flightmesh.worker.actor import Worker
from flightmesh.worker.events import OrderReceived, Tell, WorkerEffect, WorkerEvent

LOG = logging.getLogger(__name__)
HERE = WorkerId("embedded")
LISTING_THREADS = 4


@dataclass(frozen=True, slots=True)
class ToDriver:
    """An event for the driver."""

    event: DriverEvent


@dataclass(frozen=True, slots=True)
class ToWorker:
    """An event for the worker."""

    event: WorkerEvent


Turn: TypeAlias = ToDriver | ToWorker


class EmbeddedRuntime:
    """Driver, worker and exchange store of one process. Any thread may submit and cancel."""

    def __init__(self, config: Config, tables: MemoryTables) -> None:
        own = worker_resources(config, config.memory or memory_limit(), tables)
        self.slots, self.budget, self.store = own.slots, own.budget, own.store
        self._idle_memory = IdleMemory(config.idle_seconds)
        self._driver = Driver()
        self._worker = Worker()
        transport = ThroughCodec if config.encode_messages else ByReference
        self._transport: Transport = transport(
            lambda _, message: self._next.append(ToWorker(OrderReceived(message))),
            lambda worker, message: self._next.append(ToDriver(ReportReceived(worker, message))),
        )
        self._board = TaskBoard(own, lambda event: self._post(ToWorker(event)))
        self._listing = Threads("flightmesh-splits", LISTING_THREADS)
        self._numbers = itertools.count(1)
        self._handles: dict[JobId, JobHandle] = {}
        self._queue: queue.SimpleQueue[Turn | None] = queue.SimpleQueue()
        self._next: deque[Turn] = deque()
        self._lock = threading.Lock()
        self._broken: InternalError | None = None
        self._is_closed = False
        self._post(ToDriver(WorkerJoined(HERE, config.threads)))
        self._loop = threading.Thread(target=self._run, name="flightmesh-loop", daemon=True)
        self._loop.start()

    def submit(self, graph: StageGraph, options: JobOptions = IN_PROCESS) -> JobHandle:
        """Starts a job. Raises Cancelled after `close`."""
        with self._lock:
            if self._is_closed:
                raise Cancelled("the session is closed")
            if self._broken is not None:
                raise self._broken
            job = JobId(next(self._numbers))
            log = self.store.open(job, edge_plans(graph)[graph.result])
            nothing = Progress(0, len(graph.stages), 0, sum(stage.tasks for stage in graph.stages))
            handle = JobHandle(job, log, nothing, self, self.budget)
            self._handles[job] = handle
        self._post(ToDriver(JobSubmitted(job, graph, options)))
        return handle

    def cancel(self, job: JobId, reason: str) -> None:
        """Ends a job, or releases one that has ended."""
        self._post(ToDriver(JobCancelled(job, reason)))

    def result_taken(self, job: JobId) -> None:
        """Says that a job's result has been read."""
        self._post(ToDriver(ResultTaken(job)))

    def close(self) -> None:
        """Cancels what runs, waits for it to end, ends every thread. Repeating it is harmless."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            handles = list(self._handles.values())
        for handle in handles:
            handle.cancel("the session was closed")
        for handle in handles:
            handle.wait_released()
        self._queue.put(None)
        self._loop.join()
        self._board.close()
        self._listing.close()
        self.store.shut()

    def abandon(self) -> None:
        """Lets every thread end without waiting for any: for a session that was dropped and not closed. Nothing may run."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._queue.put(None)
        self._board.end()
        self._listing.end()
        self.store.shut()

    @property
    def is_idle(self) -> bool:
        """Whether no job is known, run or shared anywhere."""
        return not self._handles and self._driver.is_idle and self._worker.is_idle and self._board.is_idle

    def _post(self, turn: Turn) -> None:
        self._queue.put(turn)

    def _run(self) -> None:
        while (turn := self._await_turn()) is not None:
            self._next.append(turn)
            try:
                while self._next:
                    self._take_turn(self._next.popleft())
            except Exception as error:  # a bug: nothing may hang on it
                self._break_down(error)

    def _await_turn(self) -> Turn | None:
        """The next event. Once none has come for long, and nothing runs, the system gets back what allocators keep."""
        while True:
            now = time.monotonic()
            self._idle_memory.look(len(self._handles), now)
            try:
                return self._queue.get(timeout=self._idle_memory.due(now))
            except queue.Empty:
                continue  # something is to be given back

    def _take_turn(self, turn: Turn) -> None:
        now = time.monotonic()
        match turn:
            case ToDriver(event=event):
                for effect in self._driver.step(event, now):
                    self._do_for_driver(effect)
            case ToWorker(event=event):
                for done in self._worker.step(event, now):
                    self._do_for_worker(done)
            case _:
                assert_never(turn)

    def _do_for_driver(self, effect: DriverEffect) -> None:
        match effect:
            case Send(worker=worker, message=message):
                self._transport.to_worker(worker, message)
            case FindSplits():
                self._listing.run(lambda: self._find_splits(effect))
            case NoteProgress(job=job, progress=progress):
                self._handles[job].note_progress(progress)
            case EndJob(job=job, record=record):
                self._handles[job].note_end(record)
                self.store.wake(job)
            case ForgetJob(job=job):
                self._board.drop(job)
                with self._lock:
                    handle = self._handles.pop(job)
                handle.note_released()
            case PlaceResult() | ProbeWorker() | FenceWorker() | ReleaseWorker():
                raise InternalError(f"the driver of one process asked for what only a mesh has: {type(effect).__name__}")
            case _:
                assert_never(effect)

    def _do_for_worker(self, effect: WorkerEffect) -> None:
        if isinstance(effect, Tell):
            self._transport.to_driver(HERE, effect.message)
        else:
            self._board.carry_out(effect)

    def _find_splits(self, wanted: FindSplits) -> None:
        scan, source = wanted.scan, wanted.scan.source
        event: DriverEvent
        try:
            found = table_splits(scan.table, scan.filters, scan.columns, scan.promise)
            event = SplitsFound(wanted.job, wanted.stage, source, found)
        except BaseException as failure:
            event = SplitsFailed(wanted.job, wanted.stage, source, wire_error(failure, scan.table.name))
        self._post(ToDriver(event))

    def _break_down(self, failure: Exception) -> None:
        LOG.debug("the event loop broke down", exc_info=failure)
        reason = failure.message if isinstance(failure, InternalError) else f"{type(failure).__name__}: {failure}"
        error = InternalError(f"the session broke down: {reason}", hint="this is a bug in flightmesh: please report it")
        with self._lock:
            self._broken = error
            handles = list(self._handles.values())
        self._board.cancel_all()
        for handle in handles:
            handle.note_failure(error)
            self.store.wake(handle.job)

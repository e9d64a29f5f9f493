"""One incarnation of a worker: an event loop thread that feeds its actor and carries out its effects; its store and its tables.

Handed orders by Flight handlers, and news by task threads and result streams; hands on reports to the driver. What always
holds: only the loop thread touches the actor, and it never blocks on anything but its queue; orders are taken once, in order;
after `close` nothing of the incarnation is left: no thread, channel, table or spill file.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.table import Table
from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.errors import FlightmeshError, InternalError, NodeRefused
from flightmesh.ids import AttemptId, JobId, WorkerId
from flightmesh.protocol.messages import DriverMessage, PlanStage, TaskState, WireError, WorkerMessage
from flightmesh.protocol.node_messages import Registered
from flightmesh.runtime.local_files import LocalFiles, as_they_are
from flightmesh.runtime.reach import Reach
from flightmesh.runtime.subjects import about
from flightmesh.runtime.task_board import TaskBoard
from flightmesh.runtime.worker_resources import worker_resources
from flightmesh.transport.control import reports_dial, reports_sender
from flightmesh.transport.inbox import Inbox
from flightmesh.transport.outbox import Outbox
from flightmesh.transport.peers import Peers
from flightmesh.worker.actor import Worker
from flightmesh.worker.events import DropJob, OpenEdge, OrderReceived, StartTask, TaskEnded, Tell, WorkerEffect, WorkerEvent

LOG = logging.getLogger(__name__)
CLOSE_SECONDS = 5.0
"""How long tasks have to come to an end when the incarnation does; they look at it some times a second."""
COLLECTED_EVENTS = 16
"""Events whose reports go together, where so many wait."""


@dataclass(frozen=True, slots=True)
class Means:
    """What an incarnation works with. `allow` raises for a table that this node may not read; `failed` is told, from any
    thread, that the incarnation is of no use any more; `files` says where those lie that this node serves."""

    config: Config
    memory: int
    peers: Peers
    allow: Callable[[Table], None]
    failed: Callable[[WorkerId, FlightmeshError], None]
    files: LocalFiles = as_they_are


class WorkerLoop:
    """Any thread may call. `streams` serves other nodes and clients."""

    def __init__(self, registered: Registered, driver: str, means: Means) -> None:
        config = means.config
        self.worker = registered.worker
        self.driver = registered.driver
        self.key = registered.key
        own = worker_resources(config, means.memory, MemoryTables(), means.files)
        self.store, self.slots, self.tables = own.store, own.slots, own.tables
        self._means = means
        self._actor = Worker()
        self._queue: queue.SimpleQueue[WorkerEvent | threading.Event | None] = queue.SimpleQueue()
        self._jobs: set[JobId] = set()
        self._running: set[AttemptId] = set()
        self._inbox: Inbox[WorkerMessage] = Inbox()
        self._broken = False
        self._is_closing = False
        reach = Reach(means.peers, self.worker, self.key, config.exchange.window)
        self._board = TaskBoard(own, self.post, reach)
        assert self._board.streams is not None, "a board with a reach serves streams"
        self.streams = self._board.streams
        report = reports_sender(means.peers, driver, self.driver, self.worker, config.mesh.call_seconds)
        dial = reports_dial(means.peers, driver, self.driver, self.worker)
        seconds = config.mesh.call_seconds
        self._outbox: Outbox[DriverMessage] = Outbox(
            report, self._unheard, f"reports-{self.worker}", dial=dial, answer_seconds=seconds
        )
        self._loop = threading.Thread(target=self._run, name=f"flightmesh-loop-{self.worker}", daemon=True)
        self._loop.start()

    def post(self, event: WorkerEvent) -> None:
        """Hands the actor an event, soon."""
        self._queue.put(event)

    def take_orders(self, first: int, messages: tuple[WorkerMessage, ...]) -> int:
        """Hands the actor the messages that are new; the number of the next one that is expected."""
        return self._inbox.receive(first, messages, lambda message: self.post(OrderReceived(message)))

    @property
    def jobs(self) -> tuple[JobId, ...]:
        """Jobs that have something here."""
        return tuple(sorted(self._jobs.copy()))

    @property
    def running_tasks(self) -> int:
        """Attempts that have a thread."""
        return len(self._running)

    def answers(self, seconds: float) -> bool:
        """Whether the loop comes to what is asked of it within so long."""
        asked = threading.Event()
        self._queue.put(asked)
        return asked.wait(seconds)

    def close(self, cause: FlightmeshError) -> None:
        """Ends everything: who reads a result here is told `cause`; tasks are cancelled; nothing is left. Never hangs."""
        self._is_closing = True
        self._outbox.close()
        for job in self.jobs:
            self.streams.fail(job, cause.to_wire())
        self._board.cancel_all()
        ender = threading.Thread(target=self._board.close, name=f"flightmesh-end-{self.worker}", daemon=True)
        ender.start()
        for job in self.jobs:  # wakes what waits for rows of other workers
            self._board.drop(job)
        ender.join(CLOSE_SECONDS)
        if ender.is_alive():
            LOG.warning("%d tasks of %s did not end within %.0f s", self.running_tasks, self.worker, CLOSE_SECONDS)
        self._queue.put(None)
        self._loop.join()
        for job in self.jobs:
            self._board.drop(job)
        self.store.shut()

    def _run(self) -> None:
        taken = 0
        while (event := self._queue.get()) is not None:
            if isinstance(event, threading.Event):
                event.set()
            elif not self._broken:
                self._take(event)
            taken += 1
            if taken >= COLLECTED_EVENTS or self._queue.empty():
                self._outbox.wake()
                taken = 0

    def _take(self, event: WorkerEvent) -> None:
        if isinstance(event, TaskEnded):
            self._note_ended(event)
        try:
            for effect in self._actor.step(event, time.monotonic()):
                self._carry_out(effect)
        except Exception as failure:  # a bug, here or at the driver: the incarnation ends, the process lives on
            self._break_down(failure)

    def _carry_out(self, effect: WorkerEffect) -> None:
        match effect:
            case Tell(message=message):
                self._outbox.collect(message)
            case StartTask(attempt=attempt, plan=plan):
                refusal = self._refusal(plan)
                if refusal is None:
                    self._running.add(attempt)
                    LOG.debug("task begins", extra=about(task=attempt))
                    self._board.carry_out(effect)
                else:
                    self.post(TaskEnded(attempt, TaskState.FAILED, error=refusal))
            case OpenEdge(job=job):
                self._jobs.add(job)
                self._board.carry_out(effect)
            case DropJob(job=job):
                self._board.carry_out(effect)
                self._jobs.discard(job)
                LOG.debug("nothing of the job is left here", extra=about(job=job))
            case _:
                self._board.carry_out(effect)

    def _note_ended(self, event: TaskEnded) -> None:
        self._running.discard(event.attempt)
        if event.error is not None and not self._is_closing:
            LOG.warning("task failed: %s", event.error["message"], extra=about(task=event.attempt))
        else:
            LOG.debug("task %s", event.state.value, extra=about(task=event.attempt))

    def _refusal(self, plan: PlanStage) -> WireError | None:
        """Why a stage may not run here: it reads files that the owner of this node has not allowed."""
        try:
            for scan in plan.stage.scans:
                self._means.allow(scan.table)
        except FlightmeshError as error:
            return error.to_wire()
        return None

    def _unheard(self, error: FlightmeshError) -> None:
        """The driver refuses reports. Where nobody listens the heartbeats find that too, and have more patience."""
        if not isinstance(error, NodeRefused):
            self._means.failed(self.worker, error)

    def _break_down(self, failure: Exception) -> None:
        LOG.debug("the event loop broke down", exc_info=failure)
        self._broken = True
        reason = failure.message if isinstance(failure, InternalError) else f"{type(failure).__name__}: {failure}"
        error = InternalError(f"the worker broke down: {reason}", hint="a bug in flightmesh: please report it")
        self._means.failed(self.worker, error)

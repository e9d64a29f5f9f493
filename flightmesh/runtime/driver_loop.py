"""The driver's event loop: one thread that feeds the driver actor, and a ticker that tells it that time passes.

Handed events from any thread, and questions about the actor's table; hands on effects to whoever carries them out. What always
holds: only the loop thread touches the actor, and it waits for nothing but its queue; a bug in a step ends no thread: whoever
listens is told, the actor is made anew, and the loop goes on.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import replace
from typing import Any, Generic, TypeAlias, TypeVar

from flightmesh.dataclass import dataclass
from flightmesh.driver import summary
from flightmesh.driver.actor import Driver
from flightmesh.driver.entries import Table
from flightmesh.driver.events import DriverEffect, DriverEvent, Ticked
from flightmesh.driver.record import JobState
from flightmesh.errors import FlightmeshError, InternalError, NodeUnavailable

LOG = logging.getLogger(__name__)
TICK_SECONDS = 0.25
COLLECTED_EVENTS = 16
"""Events whose effects are flushed together, where so many wait: a call carries the orders that follow from all of them."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """Something to be read from the actor's table in the loop's own thread."""

    read: Callable[[Table], T]
    answer: Future[T]


Turn: TypeAlias = DriverEvent | Question[Any]


class DriverLoop:
    """The loop. `make` gives an actor, `carry_out` does what it asks for, `broke_down` is told of a bug, `flush` is called when
    nothing waits for the actor any more, and now and then before that."""

    def __init__(
        self,
        make: Callable[[], Driver],
        carry_out: Callable[[DriverEffect], None],
        broke_down: Callable[[InternalError], None],
        flush: Callable[[], None],
    ) -> None:
        self._make = make
        self._driver = make()
        self._carry_out = carry_out
        self._broke_down = broke_down
        self._flush = flush
        self._queue: queue.SimpleQueue[Turn | None] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._ended = threading.Event()
        self._threads = (
            threading.Thread(target=self._run, name="flightmesh-driver-loop", daemon=True),
            threading.Thread(target=self._tick, name="flightmesh-driver-ticker", daemon=True),
        )

    def start(self) -> None:
        """Starts both threads."""
        for thread in self._threads:
            thread.start()

    def post(self, event: DriverEvent) -> None:
        """Hands an event to the actor, soon."""
        self._queue.put(event)

    def ask(self, read: Callable[[Table], T], seconds: float) -> T:
        """What `read` finds in the actor's table. Raises NodeUnavailable when that takes longer than `seconds` or the loop has
        ended, and what `read` raises."""
        question = Question(read, Future[T]())
        self._queue.put(question)
        if self._ended.is_set():  # else the loop, when it ends, finds the question in its queue
            raise _gone()
        try:
            return question.answer.result(seconds)
        except NotInTime:
            raise NodeUnavailable(f"the driver did not come to the question within {seconds:g} s") from None

    def close(self) -> None:
        """Ends both threads once what is queued is done."""
        self._ending.set()
        self._queue.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread() and thread.ident is not None:
                thread.join()

    def _run(self) -> None:
        taken = 0
        while (turn := self._queue.get()) is not None:
            if isinstance(turn, Question):
                self._answer(turn)
            else:
                try:
                    for effect in self._driver.step(turn, time.monotonic()):
                        self._carry_out(effect)
                except Exception as failure:  # a bug: nobody may wait for what will not come
                    self._break_down(failure)
            taken += 1
            if taken >= COLLECTED_EVENTS or self._queue.empty():
                self._go()
                taken = 0
        self._go()
        self._ended.set()
        while not self._queue.empty():
            if isinstance(late := self._queue.get(), Question):
                late.answer.set_exception(_gone())

    def _go(self) -> None:
        """Has go what was collected."""
        try:
            self._flush()
        except Exception as failure:  # no thread could be started: nobody may wait for what was not sent
            self._break_down(failure)

    def _answer(self, question: Question[Any]) -> None:
        try:
            found = question.read(self._driver.table)
        except FlightmeshError as error:
            question.answer.set_exception(error)
        except Exception as failure:
            LOG.error("a question to the driver failed", exc_info=failure)
            question.answer.set_exception(InternalError(f"{type(failure).__name__}: {failure}"))
        else:
            question.answer.set_result(found)

    def _break_down(self, failure: Exception) -> None:
        LOG.error("the driver's event loop broke down", exc_info=failure)
        reason = failure.message if isinstance(failure, InternalError) else f"{type(failure).__name__}: {failure}"
        error = InternalError(f"the driver broke down: {reason}", hint="this is a bug in flightmesh: please report it")
        broken, self._driver = self._driver, self._make()
        bequeath(broken.table, self._driver.table, error)
        self._broke_down(error)

    def _tick(self) -> None:
        while not self._ending.wait(TICK_SECONDS):
            self._queue.put(Ticked())


def _gone() -> NodeUnavailable:
    return NodeUnavailable("the driver has gone down")


def bequeath(broken: Table, heir: Table, error: InternalError) -> None:
    """Hands the history of a table that is not to be trusted to its successor, with every open job as failed by `error`."""
    heir.history = broken.history
    now = time.monotonic()
    for job in list(broken.jobs.values()):
        ended = job if job.ended is not None else replace(job, state=JobState.FAILED, ended=now, error=error.to_wire())
        try:
            heir.history.add(summary.finished_job(broken, ended))
        except Exception as failure:  # what is broken may be this very job
            LOG.error("nothing can be said of job %s", job.id, exc_info=failure)

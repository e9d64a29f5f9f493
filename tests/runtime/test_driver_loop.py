import itertools
import threading

import pytest

from flightmesh.config import MeshConfig
from flightmesh.driver.actor import Driver
from flightmesh.driver.entries import Table
from flightmesh.driver.events import DriverEffect, DriverEvent, ForgetJob, JobCancelled, Ticked, WorkerLeft
from flightmesh.errors import FlightmeshError, InternalError, NodeUnavailable, UnknownJob
from flightmesh.ids import JobId, WorkerId
from flightmesh.runtime.driver_loop import COLLECTED_EVENTS, DriverLoop

SECONDS = 10.0


class Recorder:
    """A loop over an actor that notes what it is told and raises for some of it."""

    def __init__(self) -> None:
        self.told: list[DriverEvent] = []
        self.carried: list[DriverEffect] = []
        self.broken: list[InternalError] = []
        self.made = 0
        self.ticked = threading.Event()
        self.flushed: list[int] = []
        self.loop = DriverLoop(self.make, self.carried.append, self.broken.append, self.flush)

    def flush(self) -> None:
        """Notes how many effects there were."""
        self.flushed.append(len(self.carried))

    def make(self) -> Driver:
        self.made += 1
        recorder = self

        class Noting(Driver):
            def step(self, event: DriverEvent, now: float) -> list[DriverEffect]:
                if isinstance(event, Ticked):
                    recorder.ticked.set()
                    return []
                recorder.told.append(event)
                if isinstance(event, WorkerLeft):
                    raise LookupError("a bug")
                return [ForgetJob(event.job)] if isinstance(event, JobCancelled) else []

        return Noting(MeshConfig())


def cancelled(number: int) -> JobCancelled:
    return JobCancelled(JobId(number), "")


def workers(table: Table) -> int:
    return len(table.workers)


def test_events_are_taken_in_order_and_effects_carried_out() -> None:
    recorder = Recorder()
    recorder.loop.start()
    for number in range(100):
        recorder.loop.post(cancelled(number))
    assert recorder.loop.ask(workers, SECONDS) == 0
    assert recorder.told == [cancelled(number) for number in range(100)]
    assert recorder.carried == [ForgetJob(JobId(number)) for number in range(100)]
    recorder.loop.close()
    assert recorder.flushed[-1] == 100, "what was carried out goes"
    assert all(after - before <= COLLECTED_EVENTS for before, after in itertools.pairwise([0, *recorder.flushed]))


def test_time_passes_by_itself() -> None:
    recorder = Recorder()
    recorder.loop.start()
    assert recorder.ticked.wait(SECONDS)
    recorder.loop.close()


def test_a_bug_is_told_and_a_new_actor_goes_on() -> None:
    recorder = Recorder()
    recorder.loop.start()
    recorder.loop.post(WorkerLeft(WorkerId("w"), ""))
    recorder.loop.post(cancelled(1))
    recorder.loop.ask(workers, SECONDS)
    (error,) = recorder.broken
    assert error.message == "the driver broke down: LookupError: a bug"
    assert recorder.made == 2
    assert recorder.carried == [ForgetJob(JobId(1))]
    recorder.loop.close()


def test_what_a_question_raises_is_raised_and_a_bug_in_it_is_an_internal_error() -> None:
    recorder = Recorder()
    recorder.loop.start()

    def unknown(table: Table) -> None:
        raise UnknownJob("no such job")

    def faulty(table: Table) -> object:
        return table.jobs[JobId(1)]

    with pytest.raises(UnknownJob):
        recorder.loop.ask(unknown, SECONDS)
    with pytest.raises(InternalError, match="KeyError"):
        recorder.loop.ask(faulty, SECONDS)
    assert recorder.broken == []
    recorder.loop.close()


def test_a_question_that_waits_too_long_is_an_error() -> None:
    recorder = Recorder()  # never started
    with pytest.raises(NodeUnavailable, match="did not come to the question"):
        recorder.loop.ask(workers, 0.01)


def test_questions_to_a_loop_that_ends_or_has_ended_are_answered_at_once() -> None:
    recorder = Recorder()
    entered, leave = threading.Event(), threading.Event()

    def hold(table: Table) -> int:
        entered.set()
        assert leave.wait(SECONDS)
        return 1

    answers: list[object] = []

    def ask(read: object) -> None:
        try:
            answers.append(recorder.loop.ask(read, SECONDS))  # type: ignore[arg-type]
        except FlightmeshError as error:
            answers.append(error.message)

    recorder.loop.start()
    first = threading.Thread(target=ask, args=(hold,))
    first.start()
    assert entered.wait(SECONDS)
    closing = threading.Thread(target=recorder.loop.close)
    closing.start()
    late = threading.Thread(target=ask, args=(workers,))
    late.start()
    leave.set()
    for thread in (first, closing, late):
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert len(answers) == 2
    assert set(answers) <= {1, 0, "the driver has gone down"}, "the late one was asked before the end, or after it"
    with pytest.raises(NodeUnavailable, match="gone down"):
        recorder.loop.ask(workers, SECONDS)

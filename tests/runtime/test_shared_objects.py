"""What the tasks of a stage share on a worker, when the one that fills it is stopped."""

from __future__ import annotations

import pytest

from flightmesh.catalog.memory import MemoryTables
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.store import ExchangeStore
from flightmesh.ids import AttemptId, JobId, StageId, TaskId
from flightmesh.kernel.batches import rows_without_columns
from flightmesh.physical.operators import ValuesRows
from flightmesh.protocol.messages import PlanStage
from flightmesh.runtime.shared_objects import SharedObjects
from flightmesh.runtime.slots import SlotHold, Slots
from flightmesh.runtime.task_context import News, OutputUnread, RunningTask, Surroundings
from flightmesh.runtime.worker_resources import WorkerResources
from flightmesh.stage.graph import Stage

JOB, STAGE = JobId(1), StageId(0)


def tasks(count: int) -> list[RunningTask]:
    own = WorkerResources(ExchangeStore(MemoryBudget(1 << 20)), MemoryTables(), Slots(count), 1000)
    around = Surroundings(own, SharedObjects())
    plan = PlanStage(JOB, Stage(STAGE, ValuesRows((), rows_without_columns(0)), count, (), (), ()), (), ())
    news = News(lambda *_: None, lambda *_: None, lambda *_: None)
    hold = SlotHold(own.slots)
    return [RunningTask(AttemptId(TaskId(JOB, STAGE, index), 0), plan, around, hold, news) for index in range(count)]


def test_who_comes_after_one_that_was_stopped_while_it_filled_is_stopped_too() -> None:
    """The first has taken rows that the next would miss; nobody reads what either makes."""
    first, second = tasks(2)
    with pytest.raises(OutputUnread), first.shared("build") as slot:
        assert slot.value is None
        first.stop()
        first.raise_if_ending()
    with pytest.raises(OutputUnread), second.shared("build"):
        raise AssertionError("it would fill the object with what the first has left")


def test_who_comes_after_one_that_was_stopped_behind_it_finds_it() -> None:
    first, second = tasks(2)
    with first.shared("build") as slot:
        slot.value = "built"
    first.stop()
    with pytest.raises(OutputUnread):
        first.raise_if_ending()
    with second.shared("build") as slot:
        assert slot.value == "built"


def test_what_failed_is_filled_by_the_next() -> None:
    first, second = tasks(2)
    with pytest.raises(ValueError, match="broken"), first.shared("build"):
        raise ValueError("broken")
    with second.shared("build") as slot:
        assert slot.value is None

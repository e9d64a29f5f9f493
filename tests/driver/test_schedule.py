"""Which tasks find a place, where events alone do not easily lead."""

from __future__ import annotations

from dataclasses import replace

from flightmesh.config import MeshConfig
from flightmesh.driver.actor import Driver
from flightmesh.driver.events import DriverEffect, Send
from flightmesh.driver.schedule import RESIDENT_PER_SLOT, placements
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import JobId, StageId, WorkerId
from flightmesh.protocol.messages import RunTask
from tests.driver.test_scripts import event_of

JOB, SCAN, JOIN = JobId(1), StageId(0), StageId(1)


def _full_of_readers(slots: int, tasks: int, scans_placed: int) -> Driver:
    """A worker whose places are all taken by tasks that read what pending scans, but for some, have yet to write."""
    driver = Driver(MeshConfig())
    driver.step(event_of(f"submit 1 grouping {tasks}"), 0.0)
    driver.step(event_of(f"join a-1 {slots} a"), 1.0)
    for stage, running in ((SCAN, scans_placed), (JOIN, slots * RESIDENT_PER_SLOT)):
        for index, task in enumerate(driver.table.tasks[JOB][stage]):
            phase, worker = (TaskPhase.RUNNING, WorkerId("a-1")) if index < running else (TaskPhase.PENDING, None)
            driver.table.put(replace(task, phase=phase, worker=worker))
    return driver


def test_the_earliest_stage_has_a_slot_however_many_tasks_wait_for_it() -> None:
    for slots in (1, 2):
        for scans_placed in range(slots + 1):
            placed = placements(_full_of_readers(slots, 20, scans_placed).table)
            assert [task.id.stage for task, _ in placed] == [SCAN] * (slots - scans_placed)


def test_nothing_is_placed_where_nobody_takes_tasks() -> None:
    driver = _full_of_readers(1, 20, 0)
    driver.table.workers.clear()
    assert placements(driver.table) == []


def test_a_worker_has_no_more_of_a_stage_than_its_even_part_though_only_it_has_room() -> None:
    driver = Driver(MeshConfig())
    driver.step(event_of("submit 1 grouping 4"), 0.0)
    driver.step(event_of("join a-1 1 a"), 1.0)
    for task in driver.table.tasks[JOB][SCAN]:
        driver.table.put(replace(task, phase=TaskPhase.RUNNING, worker=WorkerId("a-1")))
    for task in driver.table.tasks[JOB][JOIN]:
        driver.table.put(replace(task, phase=TaskPhase.PENDING, worker=None))
    placed = driver.step(event_of("join b-1 1 b"), 2.0)
    assert _runs(placed) == [("b-1", 0), ("b-1", 1)], "a-1 is full"
    driver.table.put(replace(driver.table.tasks[JOB][SCAN][0], phase=TaskPhase.FINISHED))
    assert [(str(worker), task.id.index) for task, worker in placements(driver.table)] == [("a-1", 2)]


def _runs(effects: list[DriverEffect]) -> list[tuple[str, int]]:
    """Tasks that are to run, by index, each with its worker."""
    sent = [effect for effect in effects if isinstance(effect, Send)]
    return [(str(one.worker), one.message.attempt.task.index) for one in sent if isinstance(one.message, RunTask)]

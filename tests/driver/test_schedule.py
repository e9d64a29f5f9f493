"""Which tasks find a place, where events alone do not easily lead."""

from __future__ import annotations

from dataclasses import replace

from flightmesh.config import MeshConfig
from flightmesh.driver.actor import Driver
from flightmesh.driver.schedule import RESIDENT_PER_SLOT, placements
from flightmesh.driver.transitions import TaskPhase
from flightmesh.ids import JobId, StageId, WorkerId
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

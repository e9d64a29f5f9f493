"""A driver's memory does not grow with the jobs it has served, nor with the workers it has lost."""

from __future__ import annotations

import pickle
from dataclasses import replace

from flightmesh.catalog.table import Copy
from flightmesh.config import MeshConfig
from flightmesh.driver import summary
from flightmesh.driver.actor import Driver
from flightmesh.driver.events import JobCancelled, JobSubmitted, WorkerJoined
from flightmesh.driver.loss import GONE_WORKERS
from flightmesh.ids import JobId
from flightmesh.protocol.node_messages import Serving
from tests.driver.test_scripts import event_of


def _serve(driver: Driver, first: int, last: int) -> int:
    """Serves jobs, each on a worker that is lost afterwards; how large the driver's state is then."""
    now = float(first)
    for job in range(first, last):
        worker = f"w{job}"
        lines = [
            f"join {worker} 2 {worker}",
            f"submit {job} grouping 2 at-workers",
            f"splits {job} 0 0 0",
            *(f"{worker} finished {job}.0.{i}/0 0 wrote:0=1,1,1,1,0,0,0,0" for i in range(2)),
            f"{worker} finished {job}.1.0/0 0 wrote:1=4 read:0=8",
            f"{worker} finished {job}.1.1/0 0 wrote:1=0 read:0=0",
            f"{worker} read {job} 0",
            f"{worker} read {job} 1",
            f"{worker} released {job}",
            f'unreachable {worker} "connection refused"',
        ]
        for line in lines:
            driver.step(event_of(line), now)
        assert driver.is_idle
    return len(pickle.dumps((driver.table.workers, driver.table.history)))


def test_the_table_does_not_grow_with_jobs_and_workers() -> None:
    driver = Driver(MeshConfig(history=60))
    full = _serve(driver, 100, 200)
    assert _serve(driver, 200, 500) <= full * 1.01
    assert len(summary.jobs(driver.table, 0.0)) == 60


def test_a_long_query_is_not_kept() -> None:
    driver = Driver(MeshConfig(history=60))
    submission = event_of("submit 1 grouping 2 at-workers")
    assert isinstance(submission, JobSubmitted)
    options = replace(submission.options, text="select 1 as x, " * 100_000)
    driver.step(replace(submission, options=options), 1.0)
    for told in (summary.jobs(driver.table, 0.0)[0], summary.status(driver.table, JobId(1), 0.0)):
        assert told is not None
        assert told.text.startswith("select 1 as x, select")
        assert len(told.text) == summary.TEXT_SHOWN
    driver.step(JobCancelled(JobId(1), "enough"), 2.0)
    assert driver.is_idle
    assert len(pickle.dumps(driver.table.history)) < 50_000


def test_who_served_what_is_missed_is_not_forgotten_until_it_is_back() -> None:
    driver = Driver()

    def join_and_lose(worker: str, serves: tuple[Serving, ...] = ()) -> None:
        joined = event_of(f"join {worker} 1 {worker}")
        assert isinstance(joined, WorkerJoined)
        driver.step(replace(joined, serves=serves), 0.0)
        driver.step(event_of(f"unreachable {worker} gone"), 0.0)

    orders = Serving("orders", Copy.PART, "p", "home")
    join_and_lose("holder", (orders,))
    for number in range(GONE_WORKERS + 10):
        join_and_lose(f"w{number}")
    assert [node.serves for node in summary.workers(driver.table, 0.0) if node.serves] == [(orders,)]
    for number in range(10):
        join_and_lose(f"holder{number}", (orders,))
    serving = [node.name for node in summary.workers(driver.table, 0.0) if node.serves]
    assert serving == ["holder9"], "one that comes back and is lost again is missed once"
    assert len(driver.table.workers) <= GONE_WORKERS + 1

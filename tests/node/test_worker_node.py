"""A worker in this process, against a driver that says what the test wants."""

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flightmesh.config import Config, ExchangeConfig
from flightmesh.errors import Fenced
from flightmesh.ids import JobId
from flightmesh.node.worker_node import Place, WorkerNode
from flightmesh.protocol.client_messages import Done
from flightmesh.protocol.messages import JobReleased, ReleaseJob
from flightmesh.protocol.node_messages import Drain, Heard, Orders
from tests.node.fake_driver import FakeDriver
from tests.waiting import wait_until


@contextmanager
def worker(driver: str, tmp_path: Path, place: Place = Place("w"), **settings: Any) -> Iterator[WorkerNode]:  # noqa: B008
    config = Config(threads=2, memory=256 << 20, exchange=ExchangeConfig(directory=str(tmp_path)))
    node = WorkerNode(replace(config, **settings), driver, place)
    node.start()
    try:
        yield node
    finally:
        node.close()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_it_registers_and_says_that_it_is_alive(tmp_path: Path) -> None:
    with FakeDriver() as driver, worker(driver.uri, tmp_path) as node:
        wait_until(lambda: len(driver.beats) > 2)
        said = driver.registrations[0]
        assert (said.name, said.slots, said.memory) == ("w", 2, 256 << 20)
        assert said.address == node.address
        assert said.address.mesh != said.address.client
        assert driver.beats[-1].worker == node.id == "w-0000"
        load = driver.beats[-1].load
        assert load.free_slots == 2
        assert (load.running_tasks, load.exchange_bytes, load.spilled_bytes, load.streams, load.channels) == (0, 0, 0, 0, 0)
        assert load.rss > 10 << 20
        assert load.threads > 3
        assert 0 <= load.cpu < 64
        assert driver.call("ping", b"", Done) == Done()
    assert [left.worker for left in driver.left] == ["w-0000"]


def test_it_waits_for_a_driver_that_is_not_there_yet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    listen = f"grpc://127.0.0.1:{free_port()}"
    with caplog.at_level(logging.INFO, "flightmesh"), worker(listen, tmp_path):
        wait_until(lambda: "waiting for the driver" in caplog.text)
        with FakeDriver(listen) as driver:
            wait_until(lambda: driver.beats)
    assert caplog.text.count("waiting for the driver") == 1


def test_one_that_is_fenced_comes_back_as_somebody_else(tmp_path: Path) -> None:
    with FakeDriver() as driver, worker(driver.uri, tmp_path) as node:
        wait_until(lambda: driver.beats)
        assert driver.order(ReleaseJob(JobId(1))) == Heard(1)
        driver.fence(driver.ids[0])
        wait_until(lambda: node.id == "w-0001")
        stale = Orders(driver.incarnation, driver.ids[0], 1, (ReleaseJob(JobId(2)),))
        with pytest.raises(Fenced):
            driver.call("orders", stale, Heard)
        assert driver.order(ReleaseJob(JobId(3))) == Heard(1)
        wait_until(lambda: JobReleased(JobId(3)) in driver.heard)
        assert JobReleased(JobId(2)) not in driver.heard
        node._membership.expel(driver.ids[0], Fenced("late news of the one before"))
        count = len(driver.beats)
        wait_until(lambda: len(driver.beats) > count + 3)
        assert len(driver.ids) == 2


def test_one_that_is_fenced_by_its_reports_comes_back_too(tmp_path: Path) -> None:
    with FakeDriver() as driver, worker(driver.uri, tmp_path) as node:
        wait_until(lambda: driver.beats)
        driver.mute = True
        driver.fence(driver.ids[0])
        driver.order(ReleaseJob(JobId(1)))
        wait_until(lambda: len(driver.ids) == 2)
        wait_until(lambda: node.id == "w-0001")
        driver.mute = False


def test_orders_come_once_and_in_order(tmp_path: Path) -> None:
    with FakeDriver() as driver, worker(driver.uri, tmp_path):
        wait_until(lambda: driver.beats)
        first = Orders(driver.incarnation, driver.ids[0], 0, (ReleaseJob(JobId(1)), ReleaseJob(JobId(2))))
        assert driver.call("orders", first, Heard) == Heard(2)
        assert driver.call("orders", first, Heard) == Heard(2)
        more = Orders(driver.incarnation, driver.ids[0], 1, (ReleaseJob(JobId(2)), ReleaseJob(JobId(3))))
        assert driver.call("orders", more, Heard) == Heard(3)
        single = Orders(driver.incarnation, driver.ids[0], 3, (ReleaseJob(JobId(4)),))
        assert driver.call("release-job", single, Heard) == Heard(4)
        wait_until(lambda: len(driver.heard) >= 4)
        assert driver.heard == [JobReleased(JobId(number)) for number in (1, 2, 3, 4)]


def test_a_driver_that_starts_anew_is_joined_anew(tmp_path: Path) -> None:
    listen = f"grpc://127.0.0.1:{free_port()}"
    with FakeDriver(listen) as first:
        node = WorkerNode(Config(memory=64 << 20), listen, Place("w"))
        node.start()
        wait_until(lambda: first.beats)
    try:
        with FakeDriver(listen, "second") as second:
            wait_until(lambda: second.beats)
            assert second.ids == [node.id]
    finally:
        node.close()


def test_a_driver_that_is_silent_for_too_long_is_left(tmp_path: Path) -> None:
    with FakeDriver(lost_seconds=0.5) as driver, worker(driver.uri, tmp_path) as node:
        wait_until(lambda: driver.beats)
        driver.mute = True
        wait_until(lambda: len(driver.ids) > 1)
        driver.mute = False
        wait_until(lambda: driver.beats[-1].worker != "w-0000")
        assert node.id == driver.ids[-1]


def test_draining_waits_for_leave_to_go(tmp_path: Path) -> None:
    with FakeDriver() as driver, worker(driver.uri, tmp_path) as node:
        wait_until(lambda: driver.beats)
        node.drain()
        wait_until(lambda: driver.beats[-1].drain is Drain.DRAINING)
        count = len(driver.beats)
        wait_until(lambda: len(driver.beats) > count + 2)
        assert not driver.left
        driver.may_leave = True
        node.run_until_stopped()
        assert [left.reason for left in driver.left] == ["it was drained"]
        assert len(driver.ids) == 1


def test_one_that_drains_before_it_found_its_driver_just_ends(tmp_path: Path) -> None:
    with worker(f"grpc://127.0.0.1:{free_port()}", tmp_path) as node:
        node.drain()
        node.run_until_stopped()

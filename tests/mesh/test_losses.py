"""Nodes that are killed or stopped while they work: a clear error soon, the others unharmed and usable."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import flightmesh
from flightmesh.errors import FlightmeshError, NodeUnavailable, StreamBroken, WorkerLost
from tests.mesh.cluster import Cluster, cluster, start_worker
from tests.meshes import AT_MESHES
from tests.tpch.data import TABLES, table_files
from tests.waiting import TooSlow, again_if_slow, wait_until

AFTER_A_KILL, AFTER_A_STOP = 5.0, 10.0
ENDLESS = "select count(*) as n from lineitem a, lineitem b, lineitem c where a.l_partkey + b.l_partkey + c.l_partkey = -1"
STREAMING = "select a.l_comment from lineitem a, (select 1 as one from lineitem limit 1000) b where a.l_partkey > 0"
SMALL = "select count(*) as n from orders join lineitem on o_orderkey = l_orderkey"
LINES = 600_572


at_meshes = pytest.mark.parametrize("mode", AT_MESHES)


@contextmanager
def mesh_of(mode: str, small: Path) -> Iterator[Cluster]:
    """A mesh of its own for each test, and for each try: it loses nodes."""
    with cluster(3, mode=mode, memory="1GiB", planner={"broadcast_bytes": 1 << 20}) as made:
        with made.connect() as session:
            for table in TABLES:
                session.register(table, table_files(small, table))
        yield made


class Reading:
    """A query that a thread reads: its rows, and the error that it ends with, and when."""

    def __init__(self, session: flightmesh.RemoteSession, sql: str) -> None:
        self.rows = 0
        self.error: FlightmeshError | None = None
        self.ended = 0.0
        self._session = session
        self._sql = sql
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            for batch in self._session.sql(self._sql):
                self.rows += batch.num_rows
        except FlightmeshError as error:
            self.error = error
        self.ended = time.monotonic()

    def join(self, seconds: float) -> FlightmeshError:
        """Waits for its end."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"still reading after {seconds} s"
        assert self.error is not None, f"read {self.rows} rows and no error"
        return self.error

    def assert_ended_within(self, seconds: float, since: float) -> None:
        """That it has ended in time."""
        if self.ended - since > seconds:
            raise TooSlow(f"the error came after {self.ended - since:.2f} s, not {seconds} s")


def all_busy(mesh: Cluster) -> bool:
    return all(node.load is not None and node.load.running_tasks for node in mesh.carrying())


def works(session: flightmesh.RemoteSession) -> None:
    assert session.sql(SMALL).to_arrow().to_pydict() == {"n": [LINES]}


@at_meshes
@pytest.mark.parametrize("sql", [ENDLESS, STREAMING], ids=["computing", "streaming"])
@again_if_slow
def test_a_worker_is_killed(mode: str, small: Path, sql: str) -> None:
    with mesh_of(mode, small) as mesh, mesh.connect() as session:
        works(session)
        wait_until(mesh.is_idle, 20, "workers to say that this is over, or it would count as rows that flow")
        victim = mesh.workers[1]
        reading = Reading(session, sql)
        wait_until(lambda: all_busy(mesh) and (sql is ENDLESS or reading.rows), 20, "rows to flow")
        killed = time.monotonic()
        victim.signal(signal.SIGKILL)
        error = reading.join(30)
        reading.assert_ended_within(AFTER_A_KILL, killed)
        assert isinstance(error, WorkerLost | StreamBroken)
        assert error.retryable
        assert "w1" in error.message
        wait_until(lambda: len(mesh.carrying()) == 2, 10)
        works(session)
        wait_until(mesh.is_idle, 10, "survivors to be idle")
        with ExitStack() as ends:
            start_worker(ends, mesh, "w3")
            wait_until(lambda: len(mesh.carrying()) == 3, 20)
            works(session)


@at_meshes
@again_if_slow
def test_the_driver_is_killed(mode: str, small: Path) -> None:
    with mesh_of(mode, small) as mesh, mesh.connect() as session:
        works(session)
        wait_until(mesh.is_idle, 20, "workers to say that this is over, or it would count as rows that flow")
        readings = [Reading(session, ENDLESS), Reading(session, STREAMING)]
        wait_until(lambda: all_busy(mesh) and readings[1].rows, 20, "rows to flow")
        killed = time.monotonic()
        mesh.driver.signal(signal.SIGKILL)
        for reading in readings:
            error = reading.join(30)
            reading.assert_ended_within(AFTER_A_KILL, killed)
            assert isinstance(error, NodeUnavailable | StreamBroken), error
        with pytest.raises(NodeUnavailable, match="no driver answers"):
            session.sql("select 1")
        assert all(worker.process.poll() is None for worker in mesh.workers), "workers wait for the next driver"


@at_meshes
@again_if_slow
def test_a_worker_is_stopped(mode: str, small: Path) -> None:
    with mesh_of(mode, small) as mesh, mesh.connect() as session:
        works(session)
        wait_until(mesh.is_idle, 20, "workers to say that this is over, or it would count as rows that flow")
        victim = mesh.workers[2]
        readings = [Reading(session, ENDLESS), Reading(session, STREAMING)]
        wait_until(lambda: all_busy(mesh) and readings[1].rows, 20, "rows to flow")
        stopped = time.monotonic()
        victim.signal(signal.SIGSTOP)
        for reading in readings:
            error = reading.join(30)
            reading.assert_ended_within(AFTER_A_STOP, stopped)
            assert isinstance(error, WorkerLost | StreamBroken), error
            assert "w2" in error.message
        wait_until(lambda: len(mesh.carrying()) == 2, 10)
        works(session)
        wait_until(mesh.holds_nothing, 10, "survivors to hold nothing")
        # It wakes up, hears that it was declared lost, drops everything and joins anew, as somebody else.
        victim.signal(signal.SIGCONT)
        wait_until(lambda: len(mesh.carrying()) == 3, 20, "the worker to join anew")
        wait_until(mesh.is_idle, 10, "the worker to have dropped what it held")
        works(session)

"""Nodes that are stopped (SIGSTOP) with lines open to others: nobody waits for them, and the others end when they are asked."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.errors import WorkerLost
from tests.mesh.cluster import Cluster, NodeProcess, cluster
from tests.waiting import wait_until

QUICKLY = {"heartbeat_seconds": 0.2, "silent_seconds": 0.6, "lost_seconds": 1.5}
ROWS = 1000
LARGE = "select count(*) as n from t where a in (0, " + ", ".join(f"{n + 0.5}" for n in range(2000)) + ")"
"""Its plan has some 700,000 bytes."""
END_SECONDS = 10.0


@pytest.fixture
def mesh() -> Iterator[Cluster]:
    with cluster(2, mesh=QUICKLY) as made:
        yield made


def ask(session: flightmesh.RemoteSession, sql: str = "select count(*) as n from t") -> list[dict[str, int]]:
    found: list[dict[str, int]] = session.sql(sql).to_arrow().to_pylist()
    return found


def seconds_to_end(node: NodeProcess) -> float:
    """How long a node takes to end that is asked to."""
    began = time.monotonic()
    node.ask_to_end()
    assert node.process.wait(END_SECONDS) == 0, node.said
    return time.monotonic() - began


def test_a_stopped_worker_holds_up_neither_others_nor_the_end_of_the_driver(mesh: Cluster) -> None:
    numbers = pa.table({"a": range(ROWS)})
    with mesh.connect(partitions=2) as session:
        session.upload("t", numbers)
        assert ask(session, LARGE) == [{"n": 1}]
        mesh.workers[1].signal(signal.SIGSTOP)
        stopped = time.monotonic()
        with ThreadPoolExecutor(10) as pool:  # more orders than sockets hold
            asked = [pool.submit(ask, session, f"{LARGE} and a > -{number + 1}") for number in range(10)]
            errors = [each.exception(30) for each in asked]
        assert any(isinstance(error, WorkerLost) for error in errors)
        assert all(error is None or isinstance(error, WorkerLost) for error in errors), errors  # none: asked later than that
        wait_until(lambda: len(mesh.carrying()) == 1, 10, "the worker to be declared lost")
        assert time.monotonic() - stopped < 8
        session.drop("t")
        session.upload("t", numbers)
        began = time.monotonic()
        assert ask(session) == [{"n": ROWS}]
        assert time.monotonic() - began < 5
    assert seconds_to_end(mesh.driver) < END_SECONDS
    mesh.workers[1].signal(signal.SIGKILL)  # one that is stopped does not hear that it is to end


def test_workers_end_although_their_driver_is_stopped(mesh: Cluster) -> None:
    with mesh.connect(partitions=2) as session:
        session.upload("t", pa.table({"a": range(ROWS)}))
        for _ in range(3):
            assert ask(session) == [{"n": ROWS}]
    mesh.driver.signal(signal.SIGSTOP)
    for worker in mesh.workers:
        worker.ask_to_end()
    for worker in mesh.workers:
        assert seconds_to_end(worker) < END_SECONDS
    mesh.driver.signal(signal.SIGKILL)

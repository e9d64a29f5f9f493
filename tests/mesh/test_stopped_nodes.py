"""Nodes that are stopped (SIGSTOP) with lines open to others: nobody waits for them, and the others end when they are asked."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pyarrow as pa

import flightmesh
from flightmesh.errors import WorkerLost
from tests.mesh.cluster import NodeProcess, cluster
from tests.waiting import TooSlow, again_if_slow, wait_until

QUICKLY = {"heartbeat_seconds": 0.2, "silent_seconds": 0.6, "lost_seconds": 1.5}
ROWS = 1000
LARGE = "select count(*) as n from t where a in (0, " + ", ".join(f"{n + 0.5}" for n in range(2000)) + ")"
"""Its plan has some 700,000 bytes."""
END_SECONDS = 10.0


def ask(session: flightmesh.RemoteSession, sql: str = "select count(*) as n from t") -> list[dict[str, int]]:
    found: list[dict[str, int]] = session.sql(sql).to_arrow().to_pylist()
    return found


@contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """That something takes no longer."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    if took > seconds:
        raise TooSlow(f"{what} took {took:.1f} s, not {seconds} s")


def end(node: NodeProcess) -> None:
    """Asks a node to end, which it is to do."""
    node.ask_to_end()
    assert node.process.wait(30) == 0, node.said


def kill(node: NodeProcess) -> None:
    """Ends one that is stopped, which does not hear that it is to end."""
    node.signal(signal.SIGKILL)
    node.process.wait(30)


@again_if_slow
def test_a_stopped_worker_holds_up_neither_others_nor_the_end_of_the_driver() -> None:
    numbers = pa.table({"a": range(ROWS)})
    with cluster(2, mesh=QUICKLY) as mesh:
        with mesh.connect(partitions=2) as session:
            session.upload("t", numbers)
            assert ask(session, LARGE) == [{"n": 1}]
            with within(10, "orders for a stopped worker"):
                mesh.workers[1].signal(signal.SIGSTOP)
                with ThreadPoolExecutor(10) as pool:  # more orders than sockets hold
                    asked = [pool.submit(ask, session, f"{LARGE} and a > -{number + 1}") for number in range(10)]
                    errors = [each.exception(30) for each in asked]
                assert all(error is None or isinstance(error, WorkerLost) for error in errors), errors
                if not any(errors):  # all were asked when it was known to be lost
                    raise TooSlow("planning took longer than to find out who is stopped")
                wait_until(lambda: len(mesh.carrying()) == 1, 10, "the worker to be declared lost")
            session.drop("t")
            session.upload("t", numbers)
            with within(5, "a query of the others"):
                assert ask(session) == [{"n": ROWS}]
        with within(END_SECONDS, "the end of the driver"):
            end(mesh.driver)
        kill(mesh.workers[1])


@again_if_slow
def test_workers_end_although_their_driver_is_stopped() -> None:
    with cluster(2, mesh=QUICKLY) as mesh:
        with mesh.connect(partitions=2) as session:
            session.upload("t", pa.table({"a": range(ROWS)}))
            for _ in range(3):
                assert ask(session) == [{"n": ROWS}]
        mesh.driver.signal(signal.SIGSTOP)
        with within(END_SECONDS, "the end of the workers"):
            for worker in mesh.workers:
                worker.ask_to_end()
            for worker in mesh.workers:
                end(worker)
        kill(mesh.driver)

"""Nodes that are killed and started anew while clients read, cancel, let go and dawdle: right answers or typed errors, and
nothing left afterwards. `FLIGHTMESH_CHAOS_SECONDS=600 pytest tests/mesh/test_chaos.py` goes on for longer."""

from __future__ import annotations

import gc
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import flightmesh
from flightmesh.errors import Cancelled, Fault, FlightmeshError
from tests.compare import Order, assert_same, duckdb_answer
from tests.mesh.cluster import Cluster, cluster, restart_driver, start_worker
from tests.meshes import AT_MESHES
from tests.tpch.data import table_files
from tests.waiting import ended, wait_until

SECONDS = float(os.environ.get("FLIGHTMESH_CHAOS_SECONDS", "10"))
SEED = int(os.environ.get("FLIGHTMESH_CHAOS_SEED", "7"))
CLIENTS = 4
WORKERS = 3
STUCK_SECONDS = 60.0
"""A query that has neither rows nor an error for so long is stuck, however busy the machine is."""
THREADS_LEFT = 70
SOCKETS_LEFT = 30
"""What a worker may have at rest: idle threads of gRPC and of pools, kept connections."""
TABLES = ("customer", "lineitem", "nation", "orders")
QUERIES = (
    "select count(*) as n, sum(l_quantity) as q from orders join lineitem on o_orderkey = l_orderkey where o_totalprice > 1000",
    "select l_suppkey, count(*) as n, max(l_extendedprice) as m from lineitem group by l_suppkey",
    "select l_orderkey, l_linenumber, l_comment from lineitem order by l_orderkey desc, l_linenumber limit 5000",
    "select o_orderkey, o_comment from orders where o_orderkey % 3 = 0",
    "select c_custkey, n_name, count(o_orderkey) as n from customer join nation on c_nationkey = n_nationkey "
    "left join orders on o_custkey = c_custkey group by c_custkey, n_name",
    "select l_orderkey, l_partkey, l_comment from lineitem where l_partkey % 2 = 1",
)


@dataclass(slots=True)
class Outcomes:
    """What the clients saw."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Client(threading.Thread):
    """One that goes on until it is told to stop. A new session whenever the old one is of no use."""

    def __init__(self, number: int, mesh: Cluster, data: Path, answers: list[pa.Table], outcomes: Outcomes) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.began = time.monotonic()
        self._chance = random.Random(SEED * 1000 + number)
        self._mesh = mesh
        self._data = data
        self._answers = answers
        self._outcomes = outcomes

    def run(self) -> None:
        while not self.stop.is_set():
            self.began = time.monotonic()
            try:
                with opened(self._mesh, self._data) as session:
                    while not self.stop.is_set():
                        self.began = time.monotonic()
                        self._ask(session)
            except FlightmeshError as error:
                self._note(error)
                self.stop.wait(0.1)
            except BaseException as error:
                self._outcomes.wrong.append(f"{type(error).__name__}: {error}")

    def _ask(self, session: flightmesh.RemoteSession) -> None:
        """Runs a query in one of the ways that clients have."""
        number = self._chance.randrange(len(QUERIES))
        result = session.sql(QUERIES[number])
        way = self._chance.choice(("whole", "whole", "slowly", "drop", "drop", "cancel"))
        if way == "cancel":
            timer = threading.Timer(self._chance.random() * 0.5, result.cancel)
            timer.start()
        try:
            rows = []
            reader = result.to_reader()
            for batch in reader:
                rows.append(batch)
                if way == "drop" and self._chance.random() < 0.5:
                    self._outcomes.counts["drop"] += 1
                    return
                if way == "slowly":
                    self.stop.wait(0.05)
            assert_same(pa.Table.from_batches(rows, reader.schema), self._answers[number], Order.FREE)
            self._outcomes.counts[f"whole ({way})"] += 1
        except Cancelled:
            if way != "cancel":
                raise
            self._outcomes.counts["cancel"] += 1
        finally:
            if way == "cancel":
                timer.cancel()
                timer.join()

    def _note(self, error: FlightmeshError) -> None:
        self._outcomes.counts[type(error).__name__] += 1
        if error.fault is Fault.INTERNAL:
            self._outcomes.wrong.append(f"{type(error).__name__}: {error}")


@contextmanager
def opened(mesh: Cluster, data: Path) -> Iterator[flightmesh.RemoteSession]:
    """A session with the tables."""
    with mesh.connect() as session:
        for table in TABLES:
            session.register(table, table_files(data, table))
        yield session


def disturb(mesh: Cluster, ends: ExitStack, chance: random.Random, clients: list[Client]) -> None:
    """Kills workers and starts others, and in the middle the driver, until the time is over."""
    until, number, restarted = time.monotonic() + SECONDS, WORKERS, False
    pause = threading.Event()
    while time.monotonic() < until:
        pause.wait(0.5 + chance.random())
        if not restarted and until - time.monotonic() < SECONDS / 2:
            restarted = True
            restart_driver(ends, mesh)
        else:
            victim = mesh.workers.pop(chance.randrange(len(mesh.workers)))
            victim.signal(signal.SIGKILL)
            mesh.workers.append(start_worker(ends, mesh, f"w{number}"))
            number += 1
        wait_until(lambda: len(carrying(mesh)) == WORKERS, 40, "the mesh to be whole again")
        stuck = [client for client in clients if time.monotonic() - client.began > STUCK_SECONDS]
        assert not stuck, f"{len(stuck)} clients are stuck"


def carrying(mesh: Cluster) -> list[object]:
    """The workers that are there and still live; none while the driver does not answer."""
    living = {worker.pid for worker in mesh.workers if worker.process.poll() is None}
    try:
        return [node for node in mesh.carrying() if node.pid in living]
    except FlightmeshError:
        return []


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def sockets_of(pid: int) -> int:
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += str(link.readlink()).startswith("socket:")
        except FileNotFoundError:  # closed meanwhile
            continue
    return count


def answers_of(data: Path) -> list[pa.Table]:
    with duckdb.connect(config={"threads": 2}) as duck:
        for table in TABLES:
            duck.execute(f"create view {table} as select * from read_parquet('{table_files(data, table)}')")
        return [duckdb_answer(duck, sql) for sql in QUERIES]


def assert_nothing_left(mesh: Cluster) -> None:
    """No job, task, channel, stream or spilled row; threads and sockets of an idle process."""
    wait_until(mesh.is_idle, 30, "the mesh to be idle")
    for worker in mesh.workers:
        wait_until(lambda worker=worker: threads_of(worker.pid) <= THREADS_LEFT, 20, f"threads of {worker.name} to end")
        wait_until(lambda worker=worker: sockets_of(worker.pid) <= SOCKETS_LEFT, 20, f"sockets of {worker.name} to close")
    spilled = [path for path in mesh.folder.glob("flightmesh-spill-*/*") if path.name != "owner"]
    living = {worker.pid for worker in mesh.workers}
    assert not [path for path in spilled if int((path.parent / "owner").read_text()) in living]


@pytest.mark.parametrize("mode", AT_MESHES)
def test_chaos(mode: str, small: Path) -> None:
    outcomes, answers = Outcomes(), answers_of(small)
    settings = {"memory": "512MiB", "planner": {"broadcast_bytes": 1 << 16}, "mesh": {"heartbeat_seconds": 0.1}}
    with ExitStack() as ends, cluster(WORKERS, mode=mode, exchange={"memory": "4MiB"}, **settings) as mesh:
        clients = [Client(number, mesh, small, answers, outcomes) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            disturb(mesh, ends, random.Random(SEED), clients)
        finally:
            for client in clients:
                client.stop.set()
        for client in clients:
            client.join(STUCK_SECONDS)
            assert not client.is_alive(), "a client is stuck"
        print(mode, dict(outcomes.counts))
        assert not outcomes.wrong, outcomes.wrong[:3]
        gc.collect()
        with opened(mesh, small) as session:
            for sql, answer in zip(QUERIES, answers, strict=True):
                assert_same(ended(lambda sql=sql: session.sql(sql).to_arrow(), STUCK_SECONDS), answer, Order.FREE)
        assert_nothing_left(mesh)

"""A hunt for deadlocks: plans in which tasks wait for one another in every way, on workers of one slot each, with an exchange
memory of 16 MiB in all (a third of it each) and twenty times as much shuffled."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.ids import JobId
from flightmesh.protocol.client_messages import AskJob, Tasks, TaskStatus
from flightmesh.protocol.codec import decode, encode
from flightmesh.transport.flight_client import ClientConnection
from tests.compare import Order, assert_same
from tests.mesh.cluster import Cluster, cluster
from tests.waiting import ended, wait_until

MIB = 1 << 20
WORKERS = 3
EXCHANGE_MEMORY = 16 * MIB
"""Of all workers together."""
ROWS = 2_400_000
WIDTH = 9
FILES = 6
STOPPED_SECONDS = 3.0
MEMORY = 1 << 30
MOST_SECONDS = 600.0
"""What takes longer does not end."""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows with a key that occurs twice and `WIDTH` numbers: some 190 MiB in memory."""
    folder = tmp_path_factory.mktemp("wide")
    random = np.random.default_rng(7)
    keys = random.permutation(ROWS) // 2
    for number in range(FILES):
        part = slice(number * ROWS // FILES, (number + 1) * ROWS // FILES)
        columns = {"k": keys[part]} | {f"v{i}": random.integers(0, 1 << 40, part.stop - part.start) for i in range(WIDTH)}
        pq.write_table(pa.table(columns), folder / f"{number}.parquet", compression="none", row_group_size=100_000)
    return folder


@pytest.fixture(scope="module")
def peer(wide: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"create view wide as from read_parquet('{wide}/*.parquet')")
        yield connection


@pytest.fixture(
    scope="module", params=[pytest.param(mode, marks=pytest.mark.xdist_group(f"deadlocks-{mode}")) for mode in ("get", "put")]
)
def mesh(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    settings = {
        "memory": MEMORY,
        "exchange": {"memory": EXCHANGE_MEMORY // WORKERS},
        "mesh": {"lost_seconds": 60.0},
        "planner": {"broadcast_bytes": 65_536},  # so that both sides of every join are exchanged
    }
    with cluster(workers=WORKERS, slots=1, mode=request.param, **settings) as made:
        yield made


@pytest.fixture
def session(mesh: Cluster, wide: Path) -> Iterator[flightmesh.RemoteSession]:
    with mesh.connect() as made:
        made.register("wide", str(wide / "*.parquet"))
        yield made
    wait_until(mesh.is_idle, 10, "the mesh to be idle")


_SUMS = ", ".join(f"sum(a.v{i} % 1000 + b.v{i} % 1000) s{i}" for i in range(WIDTH))
_SINGLE = ", ".join(f"sum(a.v{i} % 1000) s{i}" for i in range(WIDTH))
SELF_JOIN = f"select count(*) n, {_SUMS} from wide a join wide b on a.k = b.k"
WIDE_PROBE = f"select count(*) n, {_SINGLE} from wide a join (select k from wide where k % 100 = 0) b on a.k = b.k"
"""Readers wait for the small side, and hold next to nothing, while the large one is made."""
DIAMOND = """
with groups as (select k, max(v0) v0, max(v1) v1, max(v2) v2, max(v3) v3, max(v4) v4, max(v5) v5 from wide group by k)
select count(*) n, sum(a.v0 % 1000 + b.v1 % 1000) s0, sum(c.v2 % 1000 + a.v3 % 1000) s1, sum(b.v4 % 1000 + c.v5 % 1000) s2
from groups a join groups b on a.k = b.k join groups c on b.k = c.k + 1
"""
TWO_WAYS = """
with groups as (select k, count(*) n, sum(v0 % 1000) s from wide group by k)
select l.n, count(*) c, sum(l.s + r.s) s
from (select * from groups where s % 2 = 0) l join (select * from groups where s % 3 = 0) r on l.k = r.k group by l.n
union all select 0, count(*), sum(s) from groups
"""


def fifty_stages() -> str:
    """Many groupings of groupings, side by side and gathered."""
    branches = [
        f"select {i} b, count(*) n, sum(s) s from (select k % {i + 2} g, sum(v{i % WIDTH} % 1000) s from wide "
        f"where k % 40 = {i} group by 1)"
        for i in range(25)
    ]
    return "select b, n, s from (" + " union all ".join(branches) + ") order by b"


@pytest.mark.parametrize("text", [DIAMOND, TWO_WAYS, fifty_stages()], ids=["diamond", "two ways", "fifty stages"])
def test_it_finishes_and_is_right(session: flightmesh.RemoteSession, peer: duckdb.DuckDBPyConnection, text: str) -> None:
    found = ended(lambda: session.sql(text).to_arrow(), MOST_SECONDS)
    assert_same(found, peer.execute(text).to_arrow_table(), Order.FREE)


def test_there_are_fifty_stages(session: flightmesh.RemoteSession) -> None:
    assert session.explain(fifty_stages(), level="stages").count("\nStage ") + 1 >= 50


def test_twenty_times_the_memory_is_shuffled_and_what_was_spilled_is_told(
    session: flightmesh.RemoteSession, peer: duckdb.DuckDBPyConnection
) -> None:
    result = session.sql(SELF_JOIN)
    assert_same(ended(result.to_arrow, MOST_SECONDS), peer.execute(SELF_JOIN).to_arrow_table(), Order.FREE)
    record = result.metrics
    assert record is not None
    shuffled = sum(sum(w.bytes) for stage in record.stages for task in stage.tasks for w in task.written)
    assert shuffled >= 20 * EXCHANGE_MEMORY
    spilled = sum(
        report.detail("spilled_bytes") for stage in record.stages for task in stage.tasks for report in task.operators
    )
    assert spilled > EXCHANGE_MEMORY


def test_producers_of_a_stopped_consumer_finish_within_their_memory(
    mesh: Cluster, session: flightmesh.RemoteSession, peer: duckdb.DuckDBPyConnection
) -> None:
    result = session.sql(WIDE_PROBE)
    stopped = mesh.workers[2]
    others = [psutil.Process(node.pid) for node in mesh.workers[:2]]
    before = [process.memory_info().rss for process in others]
    connection = ClientConnection(mesh.uri)
    peak = list(before)
    reader = result.to_reader()
    try:
        stopped.signal(signal.SIGSTOP)
        began = time.monotonic()
        rows: list[pa.RecordBatch] = []
        reading = threading.Thread(target=lambda: rows.extend(reader), daemon=True)
        reading.start()
        wait_until(lambda: [job.state for job in mesh.jobs().jobs[-1:]] == ["running"], 20, "the job to run")
        job = mesh.jobs().jobs[-1].job

        def all_produced() -> bool:
            for number, process in enumerate(others):
                peak[number] = max(peak[number], process.memory_info().rss)
            return all(task.state == "finished" for task in producers(connection, job) if task.worker in ("w0", "w1"))

        wait_until(lambda: len(producers(connection, job)) >= 2, 10, "producers to be placed")
        wait_until(all_produced, 60, "the producers that run to finish")
        wait_until(lambda: time.monotonic() > began + STOPPED_SECONDS, 10, "connections to have been tried for a while")
        assert reading.is_alive(), "who stands still cannot have had its rows"
    finally:
        stopped.signal(signal.SIGCONT)
        connection.close()
    reading.join(60)
    assert_same(pa.Table.from_batches(rows), peer.execute(WIDE_PROBE).to_arrow_table(), Order.FREE)
    grown = [(now - then) // MIB for now, then in zip(peak, before, strict=True)]
    assert max(grown) < EXCHANGE_MEMORY // WORKERS // MIB + 100, f"grew by {grown} MiB"


def producers(connection: ClientConnection, job: JobId) -> list[TaskStatus]:
    """Tasks of the stages that read files, as far as placed."""
    found: Tasks = decode(connection.action("tasks", encode(AskJob(job)), 10.0)[0], Tasks)
    return [task for task in found.tasks if task.splits and task.worker]

"""Who leaves a query ends it everywhere: dropped streams, actions, Ctrl-C, LIMIT."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.errors import Cancelled, FlightmeshError
from flightmesh.ids import JobId
from flightmesh.protocol.client_messages import AskJob, Done
from flightmesh.protocol.codec import decode, encode
from flightmesh.transport.flight_client import ClientConnection
from tests.mesh.cluster import Cluster
from tests.mesh.conftest import tpch_at
from tests.waiting import again_if_slow, assert_within, wait_until

ENDLESS = "select count(*) as n from lineitem a, lineitem b, lineitem c where a.l_partkey + b.l_partkey + c.l_partkey = -1"
"""A query that nobody will see the end of."""
STREAMING = "select a.l_comment from lineitem a, (select 1 as one from lineitem limit 1000) b where a.l_partkey > 0"
"""A result larger than anybody reads."""
FREED_SECONDS = 1.0
HEARD_SECONDS = 0.5
"""What is freed is heard of by heartbeats, a tenth of a second apart, and by a call of the driver."""


@pytest.fixture
def session(mesh: Cluster, small: Path) -> Iterator[flightmesh.RemoteSession]:
    with tpch_at(mesh, small) as made:
        yield made


def assert_freed(mesh: Cluster, since: float) -> None:
    """All tasks, channels, spill files and streams are gone from all workers within a second of `since`."""
    wait_until(mesh.is_idle, 10, "the mesh to free what a job held")
    assert_within(FREED_SECONDS + HEARD_SECONDS, since, "freeing what a job held")


@again_if_slow
def test_dropping_the_stream(session: flightmesh.RemoteSession, mesh: Cluster) -> None:
    reader = session.sql(STREAMING).to_reader()
    for _ in range(3):
        assert reader.read_next_batch().num_rows
    assert not mesh.is_idle()
    left = time.monotonic()
    del reader
    gc.collect()
    assert_freed(mesh, left)


@again_if_slow
def test_a_client_that_vanishes(session: flightmesh.RemoteSession, mesh: Cluster) -> None:
    """Killed, it says nothing more: its streams break, and that is enough."""
    program = (
        f"import flightmesh, sys\nreader = flightmesh.connect({mesh.uri!r}).sql({STREAMING!r}).to_reader()\n"
        "reader.read_next_batch()\nprint('reading', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as client:
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == b"reading\n"
            assert not mesh.is_idle()
        finally:
            client.kill()
        left = time.monotonic()
        assert_freed(mesh, left)


@again_if_slow
def test_the_action(session: flightmesh.RemoteSession, mesh: Cluster) -> None:
    failed, reader = in_background(session)
    job = running(mesh)
    connection = ClientConnection(mesh.uri)
    asked = time.monotonic()
    assert decode(connection.action("cancel", encode(AskJob(job)), 10)[0], Done) == Done()
    connection.close()
    try:
        assert_freed(mesh, asked)
    finally:
        reader.join(10)
    assert [type(error) for error in failed] == [Cancelled]
    assert_within(5, asked, "telling who reads the result")


@again_if_slow
def test_closing_the_session(mesh: Cluster, small: Path) -> None:
    with tpch_at(mesh, small) as session:
        failed, reader = in_background(session)
        running(mesh)
        left = time.monotonic()
        session.close()
        try:
            assert_freed(mesh, left)
        finally:
            reader.join(10)
    assert [type(error) for error in failed] == [Cancelled]


@again_if_slow
def test_ctrl_c(session: flightmesh.RemoteSession, mesh: Cluster) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "flightmesh", "sql", "--driver", mesh.address, ENDLESS],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as client:
        try:
            running(mesh)
            client.send_signal(signal.SIGINT)
            left = time.monotonic()
            assert_freed(mesh, left)
            _, said = client.communicate(timeout=10)
        finally:
            client.kill()
    assert (client.returncode, said.decode().strip()) == (130, "cancelled")


@pytest.fixture(scope="module")
def long(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five times lineitem, in one file of small row groups."""
    rows = pq.read_table(small / "lineitem")
    path = tmp_path_factory.mktemp("long") / "lineitem.parquet"
    with pq.ParquetWriter(path, rows.schema, compression="none") as writer:
        for _ in range(5):
            writer.write_table(rows, row_group_size=20_000)
    return path


def test_a_limit_stops_the_scans(session: flightmesh.RemoteSession, long: Path) -> None:
    session.register("lineitem", long)
    groups = pq.read_metadata(long).num_row_groups
    for sql in ("select * from lineitem limit 10", "select l_orderkey, l_comment from lineitem where l_tax >= 0 limit 10"):
        result = session.sql(sql)
        assert len(result) == 10
        record = result.metrics
        assert record is not None
        scans = record.stages[0].tasks
        assert 0 < sum(operator.detail("row_groups") for task in scans for operator in task.operators) < groups / 2
        assert sum(task.splits for task in scans) < groups / 2


def in_background(session: flightmesh.RemoteSession) -> tuple[list[FlightmeshError], threading.Thread]:
    """The endless query, read by a thread; the errors that it ends with."""
    failed: list[FlightmeshError] = []

    def read() -> None:
        try:
            session.sql(ENDLESS).to_arrow()
        except FlightmeshError as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    return failed, reader


def running(mesh: Cluster) -> JobId:
    """The job that runs, once all workers are busy with it."""
    wait_until(lambda: all(node.load is not None and node.load.running_tasks for node in mesh.carrying()), 20, "a job to run")
    (job,) = [job.job for job in mesh.jobs().jobs if job.state == "running"]
    return job

"""Sessions: opened, kept by use, ended; and what goes with them."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pyarrow as pa
import pytest

from flightmesh.config import MIB, Config, MeshConfig
from flightmesh.errors import Cancelled, FlightmeshError, InvalidMessage, InvalidQuery
from flightmesh.protocol.client_messages import AskJob, Done, JobStatus, OpenSession, Planned, Statement, Tables, UploadTable
from flightmesh.protocol.codec import decode, encode
from flightmesh.transport.flight_client import SESSION_HEADER
from flightmesh.transport.service import Asked, Info
from tests.node.loopback import Loopback, client_of, loopback, wait_until
from tests.node.small_mesh import client, held_tables, mesh, numbers
from tests.node.test_results_of_a_mesh import SLOW

__all__ = ["client", "mesh", "numbers"]

SHORT = Config(threads=2, memory=512 * MIB, mesh=MeshConfig(session_seconds=0.6))
KEPT = Config(threads=2, memory=512 * MIB, mesh=MeshConfig(session_seconds=3.0))
"""Longer than a busy machine keeps a test from its next call."""


def state_of(mesh: Loopback, info: Info) -> str:
    named: AskJob = decode(info.metadata, AskJob)
    return mesh.driver.mesh.status(named.job).state


def test_ids_are_secrets_and_labels_are_not(mesh: Loopback, numbers: str) -> None:
    with client_of(mesh) as one, client_of(mesh) as two:
        first, second = one.open(), two.open()
        assert first.session != second.session and len(first.session) == 32
        assert first.lease_seconds == mesh.driver.mesh.config.mesh.session_seconds
        info = one.info("select 1 as x")
        said = two.ask("status", decode(info.metadata, AskJob), JobStatus)
        assert said.session and first.session not in str(said), "people see a label, never the id"
        one.rows(info)


def test_closing_a_session_cancels_its_jobs_and_drops_its_tables(mesh: Loopback, numbers: str) -> None:
    with client_of(mesh, OpenSession()) as client:
        client.upload(Asked(command=encode(UploadTable("own", True))), pa.table({"x": range(1000)}))
        running = client.info(SLOW.format(numbers))
        unread = client.info("select x from own")
        assert held_tables(mesh) > 0
        client.ask("close-session", None, Done)
        wait_until(lambda: state_of(mesh, running) == "cancelled", "the running job is cancelled")
        wait_until(mesh.is_idle, "jobs are released")
        assert state_of(mesh, unread) in ("cancelled", "succeeded")
        wait_until(lambda: held_tables(mesh) == 0, "the workers drop the rows")
        with pytest.raises(Cancelled):
            client.rows(running)
        for _ in range(2):
            with pytest.raises(InvalidQuery, match="session has ended"):
                client.sql("select 1")
        client.ask("close-session", None, Done)


def test_a_session_that_nobody_uses_ends() -> None:
    with loopback(SHORT, workers=1) as mesh, client_of(mesh, OpenSession()) as client:
        client.upload(Asked(command=encode(UploadTable("own", True))), pa.table({"x": [1]}))
        client.sql("create view v as select 1 as x")
        wait_until(lambda: len(mesh.service.sessions) == 0, "the lease runs out")
        wait_until(lambda: held_tables(mesh) == 0, "the workers drop the rows")
        with pytest.raises(InvalidQuery, match="session has ended") as ended:
            client.sql("select 1")
        assert "open-session" in str(ended.value.hint)


def test_use_keeps_a_session() -> None:
    with loopback(KEPT, workers=1) as mesh, client_of(mesh, OpenSession()) as client:
        leased = time.monotonic() + 1.5 * KEPT.mesh.session_seconds

        def pinged_past_the_lease() -> bool:
            client.ask("ping", None, Done)
            return time.monotonic() > leased

        wait_until(pinged_past_the_lease, "the lease would have run out")
        assert len(mesh.service.sessions) == 1
        assert client.sql("select 1 as x").to_pydict() == {"x": [1]}


def test_a_call_under_way_keeps_its_session(numbers: str) -> None:
    with loopback(SHORT) as mesh, client_of(mesh, OpenSession()) as client:
        started = threading.Event()
        failures: list[FlightmeshError] = []

        def work() -> None:
            started.set()
            try:
                client.ask("statement", Statement(f"create table never as {SLOW.format(numbers)}"), Planned)
            except FlightmeshError as error:
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        started.wait()
        wait_until(lambda: not mesh.is_idle(), "the job runs")
        leased = time.monotonic() + 3 * SHORT.mesh.session_seconds
        wait_until(lambda: time.monotonic() > leased, "the lease would have run out")
        assert len(mesh.service.sessions) == 1 and not failures
        (job,) = (job.job for job in mesh.driver.mesh.jobs() if job.state == "running")
        mesh.driver.mesh.cancel(job, "the test has seen enough")
        thread.join(20)
        assert [type(error) for error in failures] == [Cancelled]
        assert held_tables(mesh) == 0


def test_who_leaves_while_a_statement_runs_cancels_it(mesh: Loopback, numbers: str) -> None:
    with client_of(mesh, OpenSession()) as client:
        with pytest.raises(FlightmeshError):
            client.connection.action("statement", encode(Statement(f"create table never as {SLOW.format(numbers)}")), 1.0)
        wait_until(mesh.is_idle, "the job is released")
        assert client.ask("tables", None, Tables).tables == ()
        assert held_tables(mesh) == 0


def test_sessions_that_are_none(mesh: Loopback) -> None:
    with client_of(mesh) as client:
        with pytest.raises(InvalidQuery, match="without a session"):
            client.ask("close-session", None, Done)
        client.connection.set_header(SESSION_HEADER, "0" * 32)
        with pytest.raises(InvalidQuery, match="session has ended"):
            client.sql("select 1")
        with pytest.raises(InvalidQuery, match="partitions"):
            client.ask("open-session", OpenSession(partitions=0), Done)
        with pytest.raises(InvalidMessage):
            client.connection.action("open-session", b"\x01\x02")


def test_partitions_of_a_session(mesh: Loopback, numbers: str) -> None:
    with client_of(mesh, OpenSession(partitions=3)) as client:
        info = client.info(f"select v from '{numbers}'")
        assert len(info.endpoints) == 3
        client.rows(info)


def test_many_sessions_come_and_go(mesh: Loopback) -> None:
    before = len(mesh.service.sessions)
    for _ in range(30):
        with client_of(mesh, OpenSession()) as client:
            client.sql("create view v as select 1 as x")
            assert client.sql("select x from v").num_rows == 1
            client.ask("close-session", None, Done)
    assert len(mesh.service.sessions) == before
    shared = mesh.service.sessions.shared
    wait_until(lambda: not shared.jobs and not shared.engine._jobs, "jobs are forgotten")


def test_the_queue_is_waited_for_and_can_be_left(numbers: str) -> None:
    config = replace(SHORT, mesh=MeshConfig(running_jobs=1))
    with loopback(config) as mesh, client_of(mesh, OpenSession()) as client:
        first = client.info(SLOW.format(numbers))
        with pytest.raises(FlightmeshError):
            client.connection.info(Asked(command=b"select 1 as x"), 1.0)
        wait_until(lambda: [job.state for job in mesh.driver.mesh.jobs()] == ["running", "cancelled"], "it leaves the queue")
        done: list[pa.Table] = []
        thread = threading.Thread(target=lambda: done.append(client.sql("select 1 as x")))
        thread.start()
        wait_until(lambda: mesh.driver.mesh.jobs()[-1].place == 1, "it queues")
        client.ask("cancel", decode(first.metadata, AskJob), Done)
        thread.join(20)
        assert done and done[0].to_pydict() == {"x": [1]}

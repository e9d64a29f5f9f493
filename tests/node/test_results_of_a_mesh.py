"""Results: where they are, when they are named, how they end."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from flightmesh.errors import Cancelled, FlightmeshError, InvalidQuery, InvalidTicket, UnknownJob, UnsupportedFeature
from flightmesh.ids import JobId
from flightmesh.protocol.client_messages import AskJob, Delivery, Done, JobStatus, OpenSession, Route, Run
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.tickets import ResultTicket, sign
from tests.node.loopback import Client, Loopback, client_of, loopback, wait_until
from tests.node.small_mesh import ROWS, client, mesh, numbers

__all__ = ["client", "mesh", "numbers"]

SLOW = "select a.v, b.v as w from '{0}' a, '{0}' b where a.v * 7 + b.v * 3 = -1"
"""Half a day of work."""


def job_of(metadata: bytes) -> JobId:
    named: AskJob = decode(metadata, AskJob)
    return named.job


def status(client: Client, job: JobId) -> JobStatus:
    return client.ask("status", AskJob(job), JobStatus)


def test_rows_come_from_the_workers_and_none_through_the_driver(mesh: Loopback, client: Client, numbers: str) -> None:
    before = mesh.driver.status().row_bytes
    info = client.info(f"select * from '{numbers}'")
    assert len(info.endpoints) == 4, "a partition for each slot"
    assert {endpoint.location for endpoint in info.endpoints} == {worker.address.client for worker in mesh.workers}
    assert not info.ordered
    assert all(endpoint.expires is not None and endpoint.expires > time.time() + 200 for endpoint in info.endpoints)
    assert client.rows(info).num_rows == ROWS
    assert mesh.driver.status().row_bytes - before == 0
    assert mesh.service.row_bytes == 0


def test_an_ordered_result_says_so(client: Client, numbers: str) -> None:
    info = client.info(f"select v from '{numbers}' order by v desc limit 3")
    assert info.ordered
    assert client.rows(info)["v"].to_pylist() == [ROWS - 1, ROWS - 2, ROWS - 3]


def test_streams_have_the_schema_that_was_said(client: Client, numbers: str) -> None:
    info = client.info(f"select v as first, k + 1 from '{numbers}' limit 5")
    for endpoint in info.endpoints:
        stream = client.connection.get(endpoint.location, endpoint.ticket)
        assert stream.schema == info.schema
        while stream.next() is not None:
            pass


def test_partitions_may_be_read_one_after_the_other(client: Client, numbers: str) -> None:
    info = client.info(f"select v, k, repeat('x', 200) as t from '{numbers}'")
    rows = 0
    for endpoint in info.endpoints:
        stream = client.connection.get(endpoint.location, endpoint.ticket)
        while (got := stream.next()) is not None:
            rows += got[0].num_rows
    assert rows == ROWS


def test_the_info_comes_before_the_rows(client: Client, numbers: str) -> None:
    started = time.monotonic()
    info = client.info(SLOW.format(numbers))
    assert time.monotonic() - started < 5
    assert status(client, job_of(info.metadata)).state == "running"
    client.ask("cancel", AskJob(job_of(info.metadata)), Done)
    with pytest.raises(Cancelled):
        client.rows(info)


def test_dropping_a_stream_cancels_the_job(mesh: Loopback, client: Client, numbers: str) -> None:
    info = client.info(SLOW.format(numbers))
    stream = client.connection.get(info.endpoints[0].location, info.endpoints[0].ticket)
    stream.cancel()
    wait_until(lambda: status(client, job_of(info.metadata)).state == "cancelled", "the job is cancelled")
    wait_until(mesh.is_idle, "the job is released")


def test_complete_delivery(client: Client, numbers: str) -> None:
    run = Run(sql=f"select v from '{numbers}'", delivery=Delivery.COMPLETE)
    assert client.rows(client.info(encode(run))).num_rows == ROWS
    failing = Run(sql=f"select cast(v::varchar || case when v = {ROWS - 1} then 'x' else '' end as bigint) from '{numbers}'")
    info = client.info(encode(Run(sql=failing.sql, delivery=Delivery.COMPLETE)))
    stream = client.connection.get(info.endpoints[0].location, info.endpoints[0].ticket)
    with pytest.raises(FlightmeshError, match="cannot cast"):
        stream.next()


def test_through_the_driver(mesh: Loopback, client: Client, numbers: str) -> None:
    before = mesh.service.row_bytes
    info = client.info(encode(Run(sql=f"select v from '{numbers}'", results=Route.DRIVER)))
    assert {endpoint.location for endpoint in info.endpoints} == {None}
    assert client.rows(info).num_rows == ROWS
    assert mesh.service.row_bytes - before >= ROWS * 8


def test_an_error_through_the_driver_is_the_jobs_own(client: Client) -> None:
    run = Run(sql="select cast(x as integer) from (values ('a'), ('b')) t(x) where length(x) < 7", results=Route.DRIVER)
    with pytest.raises(FlightmeshError, match="cannot cast 'a'"):
        client.rows(client.info(encode(run)))


def test_dropping_a_stream_through_the_driver_cancels_the_job(client: Client, numbers: str) -> None:
    info = client.info(encode(Run(sql=SLOW.format(numbers), results=Route.DRIVER)))
    stream = client.connection.get(None, info.endpoints[0].ticket)
    stream.cancel()
    wait_until(lambda: status(client, job_of(info.metadata)).state == "cancelled", "the job is cancelled")


def test_submitted_and_read_later(mesh: Loopback, client: Client, numbers: str) -> None:
    said = client.ask("submit", Run(sql=f"select sum(v) as s from '{numbers}'"), JobStatus)
    assert said.session.startswith("s") and said.text.startswith("select sum(v)")
    wait_until(lambda: status(client, said.job).state == "succeeded", "the job is done")
    with client_of(mesh, OpenSession()) as other, pytest.raises(UnknownJob, match="not one of this session's"):
        other.info(encode(Run(job=said.job)))
    info = client.info(encode(Run(job=said.job)))
    assert client.rows(info).to_pydict() == {"s": [ROWS * (ROWS - 1) // 2]}
    for run in (Run(sql="explain select 1"), Run(plan="steps: {s: {values: [{x: 1}]}}\nwrite: {csv: /tmp/never.csv}")):
        with pytest.raises(UnsupportedFeature, match="not a query"):
            client.ask("submit", run, JobStatus)
    with client_of(mesh) as nobody:
        with pytest.raises(InvalidQuery, match="needs a session"):
            nobody.ask("submit", Run(sql="select 1"), JobStatus)
        with pytest.raises(InvalidQuery, match="needs a session"):
            nobody.info(encode(Run(job=said.job)))


def test_tickets_are_the_meshs(mesh: Loopback, client: Client) -> None:
    info = client.info("select 1")
    forged = sign(ResultTicket(job_of(info.metadata), 0, b"0" * 16), b"another key")
    for location in (None, info.endpoints[0].location):
        with pytest.raises(InvalidTicket):
            client.connection.get(location, forged).next()
    with pytest.raises(UnknownJob):
        client.connection.get(None, sign(ResultTicket(JobId(10_000), 0, b""), mesh.driver.mesh.key)).next()
    assert client.rows(info).num_rows == 1


def test_a_driver_that_goes_down_tells_who_waits(numbers: str) -> None:
    with loopback() as mesh, client_of(mesh, OpenSession()) as client:
        info = client.info(SLOW.format(numbers))
        stream = client.connection.get(info.endpoints[0].location, info.endpoints[0].ticket)
        mesh.driver.close()
        with pytest.raises(FlightmeshError):
            while stream.next() is not None:
                pass


def test_results_of_a_plain_flight_client(mesh: Loopback, numbers: str) -> None:
    """No helper of ours: what docs/flight.md promises to any language."""
    import pyarrow.flight as flight

    with flight.connect(mesh.driver.client_uri) as driver:
        command = f"select k, v from '{numbers}' where v < 1000".encode()
        info = driver.get_flight_info(flight.FlightDescriptor.for_command(command))
        tables = []
        for endpoint in info.endpoints:
            with flight.connect(endpoint.locations[0]) as worker:
                reader = worker.do_get(endpoint.ticket)
                assert reader.schema == info.schema
                tables.append(pa.Table.from_batches([chunk.data for chunk in reader], reader.schema))
        assert pa.concat_tables(tables).sort_by("v")["v"].to_pylist() == list(range(1000))
    wait_until(mesh.is_idle, "the jobs are released")

"""A driver with real workers in this process, over real sockets."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.config import MIB, Config, ExchangeConfig, MeshConfig
from flightmesh.errors import Cancelled, FlightmeshError, WorkerLost
from flightmesh.ids import JobId
from flightmesh.node.client_service import ClientService
from flightmesh.node.driver_node import DriverNode, DriverPlace
from flightmesh.protocol.client_messages import AskJob, JobStatus
from flightmesh.protocol.codec import decode
from flightmesh.runtime import split_search
from flightmesh.transport.peers import StreamIn
from flightmesh.transport.service import Info
from tests.node.loopback import Client, Loopback, client_of, loopback
from tests.waiting import again_if_slow, assert_within, wait_until

ROWS = 200_000
SECONDS = 20.0
ENDLESS = "select count(*) from {t} a, {t} b, {t} c where a.v + b.v + c.v = -1"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four files of numbers: k repeats 0 to 6, v counts."""
    folder = tmp_path_factory.mktemp("numbers")
    v = np.arange(ROWS)
    table = pa.table({"k": v % 7, "v": v})
    for part in range(4):
        pq.write_table(table.slice(part * ROWS // 4, ROWS // 4), folder / f"{part}.parquet", row_group_size=10_000)
    return folder


def config(mode: str = "get", mesh: MeshConfig | None = None) -> Config:
    """Two partitions, so that also tables as small as these have tasks at both workers."""
    return Config(threads=2, memory=256 * MIB, partitions=2, exchange=ExchangeConfig(mode=mode), mesh=mesh or MeshConfig())


def job_of(info: Info) -> JobId:
    asked: AskJob = decode(info.metadata, AskJob)
    return asked.job


def status(mesh: Loopback, info: Info) -> JobStatus:
    return mesh.driver.mesh.status(job_of(info))


def from_files(files: Path) -> str:
    return f"'{files}/*.parquet'"


def loads_are_zero(mesh: Loopback) -> bool:
    loads = [worker.load() for worker in mesh.workers]
    return not any(load.running_tasks or load.exchange_bytes or load.channels or load.streams for load in loads)


@pytest.mark.parametrize("mode", ["get", "put"])
def test_rows_come_from_the_workers_and_none_through_the_driver(files: Path, mode: str) -> None:
    with loopback(config(mode), workers=2) as mesh, client_of(mesh) as client:
        text = f"select v % 1000 as k, count(*) as n, sum(v) as s from {from_files(files)} group by 1 order by 1"
        info = client.info(text)
        found = client.rows(info)
        assert found.column("n").to_pylist() == [ROWS // 1000] * 1000
        assert mesh.driver.status().row_bytes == 0
        job = job_of(info)
        assert mesh.driver.mesh.wait_forgotten(job, SECONDS)
        assert mesh.driver.mesh.status(job).state == "succeeded"
        assert {task.worker for task in mesh.driver.mesh.tasks(job).tasks} == {"w0", "w1"}
        hashed = [edge for stage in mesh.driver.mesh.stages(job).stages for edge in stage.edges if edge.pipelined + edge.late]
        assert hashed
        assert {edge.mode for edge in hashed} == {mode}
        wait_until(lambda: loads_are_zero(mesh))


def test_splits_are_found_at_a_worker_where_the_driver_sees_no_file(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    at_a_worker: Callable[..., object] = split_search.SplitSearch._at_a_worker

    def noted(search: object, scan: object) -> object:
        asked.append(scan)
        return at_a_worker(search, scan)

    monkeypatch.setattr(split_search, "sees", lambda table: False)
    monkeypatch.setattr(split_search.SplitSearch, "_at_a_worker", noted)
    with loopback(config(), workers=2) as mesh, client_of(mesh) as client:
        assert client.sql(f"select count(*) as n from {from_files(files)} where v >= 100").to_pylist() == [{"n": ROWS - 100}]
    assert len(asked) == 1


def test_a_lost_worker_ends_the_jobs_on_it_and_no_others(files: Path) -> None:
    with loopback(config(mesh=MeshConfig(silent_seconds=0.5)), workers=2) as mesh, client_of(mesh) as client:
        info = client.info(ENDLESS.format(t=from_files(files)))
        job = job_of(info)
        tasks = mesh.driver.mesh.tasks
        wait_until(lambda: {"w0", "w1"} <= {task.worker for task in tasks(job).tasks if task.state == "running"})
        victim = mesh.workers.pop()
        victim.close()
        with pytest.raises(FlightmeshError) as caught:
            client.rows(info)
        assert caught.value.retryable
        assert mesh.driver.mesh.wait_forgotten(job, SECONDS)
        with pytest.raises(WorkerLost, match="w1"):
            mesh.driver.mesh.wait_placed(job, SECONDS)
        wait_until(lambda: loads_are_zero(mesh))
        assert client.sql(f"select count(*) as n from {from_files(files)}").to_pylist() == [{"n": ROWS}]


@again_if_slow
def test_cancelling_frees_everything_within_a_second(files: Path) -> None:
    with loopback(config(), workers=2) as mesh, client_of(mesh) as client:
        info = client.info(ENDLESS.format(t=from_files(files)))
        job = job_of(info)
        wait_until(lambda: any(worker.load().running_tasks for worker in mesh.workers))
        cancelled = time.monotonic()
        mesh.driver.mesh.cancel(job, "not wanted any more")
        wait_until(lambda: loads_are_zero(mesh) and mesh.driver.mesh.is_idle)
        assert_within(1, cancelled, "freeing everything")
        with pytest.raises(Cancelled, match="not wanted any more"):
            client.rows(info)
        assert mesh.driver.mesh.status(job).state == "cancelled"


def test_placement_is_answered_before_the_job_has_run(files: Path) -> None:
    with loopback(config(), workers=2) as mesh, client_of(mesh) as client:
        client.sql("select 1 as one")
        info = client.info(ENDLESS.format(t=from_files(files)))
        found = status(mesh, info)
        assert (found.state, found.tasks_done < found.tasks) == ("running", True)
        assert {endpoint.location for endpoint in info.endpoints} <= {worker.address.client for worker in mesh.workers}
        mesh.driver.mesh.cancel(job_of(info), "seen enough")


def test_many_clients_at_once_get_their_own_answers(files: Path) -> None:
    with loopback(config(), workers=2) as mesh:
        found: dict[int, object] = {}

        def ask(number: int) -> None:
            with client_of(mesh) as client:
                found[number] = client.sql(f"select count(*) as n from {from_files(files)} where k = {number}").to_pylist()

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(3 * SECONDS)
        assert found == {number: [{"n": len(range(number, ROWS, 7))}] for number in range(7)}
        wait_until(lambda: mesh.driver.mesh.is_idle and loads_are_zero(mesh))


def test_workers_join_the_next_driver_at_the_same_address(files: Path) -> None:
    with loopback(config(), workers=2) as mesh:
        address = mesh.driver.client_uri
        mesh.driver.close()
        mesh.driver = _driver_at(address)
        wait_until(lambda: len(mesh.driver.mesh.workers()) == 2)
        known = {str(worker.id) for worker in mesh.driver.mesh.workers()}
        wait_until(lambda: {worker.id for worker in mesh.workers} == known)
        with client_of(mesh) as client:
            assert client.sql(f"select count(*) as n from {from_files(files)}").to_pylist() == [{"n": ROWS}]


def _driver_at(address: str) -> DriverNode:
    node = DriverNode(config(), ClientService, DriverPlace(address))
    node.start()
    return node


def test_a_client_that_drops_its_stream_ends_the_job(files: Path) -> None:
    with loopback(config(), workers=2) as mesh, client_of(mesh) as client:
        info = client.info(f"select a.v from {from_files(files)} a, {from_files(files)} b")
        stream = _first(client, info)
        assert stream.next() is not None
        stream.cancel()
        wait_until(lambda: status(mesh, info).state == "cancelled")
        wait_until(lambda: loads_are_zero(mesh) and mesh.driver.mesh.is_idle)


def _first(client: Client, info: Info) -> StreamIn:
    endpoint = info.endpoints[0]
    return client.connection.get(endpoint.location, endpoint.ticket)

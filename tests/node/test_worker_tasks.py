"""What a worker does when it is ordered to, and what it carries then."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.config import ExchangeConfig
from flightmesh.errors import FlightmeshError, NotAllowed, UnknownJob, WorkerLost, from_wire
from flightmesh.ids import JobId
from flightmesh.node.roots import EVERYWHERE, Roots, read_roots
from flightmesh.node.worker_node import Place
from flightmesh.protocol.asking import AskStatistics, DropPart, LookedUp, LookUp, Statistics
from flightmesh.protocol.client_messages import Done
from flightmesh.protocol.messages import FailResult, JobReleased, ReleaseJob, ResultRead, TaskState
from flightmesh.protocol.node_messages import Load
from flightmesh.protocol.tickets import ResultTicket, TableTicket, sign
from flightmesh.transport.flight_peers import FlightPeers
from tests.hand_made import deep_limiting, scanning
from tests.node.fake_driver import KEY, FakeDriver
from tests.node.tasks import run_scan, seal, write_rows
from tests.node.test_worker_node import worker
from tests.waiting import wait_until

ROWS = 500_000


def read_all(peers: FlightPeers, address: str, ticket: bytes) -> list[pa.RecordBatch]:
    stream = peers.get(address, ticket)
    batches = []
    while (found := stream.next()) is not None:
        batches.append(found[0])
    return batches


def idle(load: Load) -> bool:
    return not (load.running_tasks or load.exchange_bytes or load.spilled_bytes or load.channels or load.spill_files)


def test_a_task_runs_and_its_result_is_read_at_the_client_listener(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "t.parquet", 10_000)
    graph = scanning(1, table)
    peers = FlightPeers()
    with FakeDriver() as driver, worker(driver.uri, tmp_path):
        wait_until(lambda: driver.beats)
        report = run_scan(driver, graph, table)
        assert report.state is TaskState.FINISHED
        assert sum(report.written[0].rows) == 10_000
        wait_until(lambda: driver.beats[-1].load.exchange_bytes > 0)
        seal(driver, graph)
        address = driver.registrations[0].address
        batches = read_all(peers, address.client, sign(ResultTicket(JobId(1), 0, b"n"), KEY))
        assert pa.Table.from_batches(batches).equals(pq.read_table(tmp_path / "t.parquet"))
        wait_until(lambda: ResultRead(JobId(1), 0) in driver.heard)
        driver.order(ReleaseJob(JobId(1)))
        wait_until(lambda: JobReleased(JobId(1)) in driver.heard)
        count = len(driver.beats)
        wait_until(lambda: len(driver.beats) > count and idle(driver.beats[-1].load))
    peers.close()


def test_what_does_not_fit_lies_on_the_disk_and_in_the_figures(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "t.parquet", ROWS)
    spill = tmp_path / "spill"
    exchange = ExchangeConfig(directory=str(spill), memory=1 << 20)
    with FakeDriver() as driver, worker(driver.uri, tmp_path, exchange=exchange):
        wait_until(lambda: driver.beats)
        report = run_scan(driver, deep_limiting(1, table=table), table)
        assert report.state is TaskState.FINISHED
        wait_until(lambda: driver.beats[-1].load.spilled_bytes > 4 << 20)
        load = driver.beats[-1].load
        assert load.exchange_bytes <= 1 << 20
        assert load.spill_files > 0
        assert load.channels == 1
        assert any(path.is_file() and path.stat().st_size for path in spill.rglob("*"))
        driver.order(ReleaseJob(JobId(1)))
        wait_until(lambda: idle(driver.beats[-1].load))
    assert not list(spill.glob("*"))


def test_a_fence_ends_what_is_there_and_tells_readers(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "t.parquet", 10_000)
    peers = FlightPeers()
    with FakeDriver() as driver, worker(driver.uri, tmp_path):
        wait_until(lambda: driver.beats)
        run_scan(driver, scanning(1, table), table)
        client = driver.registrations[0].address.client
        stream = peers.get(client, sign(ResultTicket(JobId(1), 0, b"n"), KEY))
        assert stream.next() is not None
        wait_until(lambda: driver.beats[-1].load.streams == 1)
        driver.fence(driver.ids[0])
        with pytest.raises(WorkerLost, match="declared lost"):
            while stream.next() is not None:
                pass
        wait_until(lambda: len(driver.ids) == 2)
        wait_until(lambda: driver.beats[-1].worker == driver.ids[1])
        wait_until(lambda: idle(driver.beats[-1].load))
        with pytest.raises(UnknownJob):
            read_all(peers, client, sign(ResultTicket(JobId(1), 0, b"n"), KEY))
    peers.close()


def test_a_failed_job_says_why_to_who_reads_it(tmp_path: Path) -> None:
    table = write_rows(tmp_path / "t.parquet", 10_000)
    peers = FlightPeers()
    with FakeDriver() as driver, worker(driver.uri, tmp_path):
        wait_until(lambda: driver.beats)
        run_scan(driver, scanning(1, table), table)
        driver.order(FailResult(JobId(1), NotAllowed("for a reason").to_wire()), ReleaseJob(JobId(1)))
        wait_until(lambda: JobReleased(JobId(1)) in driver.heard)
        with pytest.raises(NotAllowed, match="for a reason"):
            read_all(peers, driver.registrations[0].address.client, sign(ResultTicket(JobId(1), 0, b"n"), KEY))
    peers.close()


@pytest.mark.parametrize("allowed", ["all", "here", "elsewhere"])
def test_a_task_reads_only_what_its_worker_allows(tmp_path: Path, allowed: str) -> None:
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
    table = write_rows(tmp_path / "here" / "t.parquet", 1000)
    roots: Roots = EVERYWHERE if allowed == "all" else read_roots([str(tmp_path / allowed)])
    with FakeDriver() as driver, worker(driver.uri, tmp_path, place=Place("w", roots=roots)):
        wait_until(lambda: driver.beats)
        report = run_scan(driver, scanning(1, table), table)
        looked_up = LookUp("t", (str(tmp_path / "here"),))
        if allowed == "elsewhere":
            assert report.state is TaskState.FAILED
            assert report.error is not None
            assert isinstance(from_wire(report.error), NotAllowed)
            with pytest.raises(NotAllowed):
                driver.call("look-up", looked_up, LookedUp)
        else:
            assert report.state is TaskState.FINISHED
            found = driver.call("look-up", looked_up, LookedUp).table
            assert found.files == table.files
            assert driver.call("statistics", AskStatistics(found, ("k",)), Statistics).rows == 1000


def test_parts_of_tables_in_memory_are_put_read_and_dropped(tmp_path: Path) -> None:
    rows = pa.table({"k": list(range(1000)), "s": [str(n) for n in range(1000)]})
    peers = FlightPeers()
    with FakeDriver() as driver, worker(driver.uri, tmp_path) as node:
        wait_until(lambda: driver.beats)
        mesh = driver.registrations[0].address.mesh

        def ticket(offset: int, count: int) -> bytes:
            return sign(TableTicket(driver.ids[0], "t#7", offset, count), KEY)

        stream = peers.put(mesh, ticket(0, 0), rows.schema)
        for batch in rows.to_batches(max_chunksize=300):
            stream.write(batch, b"")
        stream.finish()
        here = node._tenure.now
        assert here is not None
        assert sum(here.loop.store.budget.accounts().values()) == rows.nbytes
        found = pa.Table.from_batches([batch for batch in read_all(peers, mesh, ticket(250, 500)) if batch.num_rows])
        assert found.equals(rows.slice(250, 500))
        assert driver.call("drop-table", DropPart("t#7"), Done) == Done()
        assert driver.call("drop-table", DropPart("t#7"), Done) == Done()
        assert not here.loop.store.budget.accounts()
        with pytest.raises(FlightmeshError, match="t#7"):
            read_all(peers, mesh, ticket(0, 10))


def test_parts_of_tables_go_with_their_incarnation(tmp_path: Path) -> None:
    rows = pa.table({"k": list(range(1000))})
    peers = FlightPeers()
    with FakeDriver() as driver, worker(driver.uri, tmp_path) as node:
        wait_until(lambda: driver.beats)
        mesh = driver.registrations[0].address.mesh
        stream = peers.put(mesh, sign(TableTicket(driver.ids[0], "t#7", 0, 0), KEY), rows.schema)
        stream.write(rows.to_batches()[0], b"")
        stream.finish()
        here = node._tenure.now
        assert here is not None
        assert here.loop.tables.get("t#7").num_rows == 1000
        driver.fence(driver.ids[0])
        wait_until(lambda: len(driver.ids) == 2)
        assert not here.loop.store.budget.accounts()
        with pytest.raises(FlightmeshError, match="t#7"):
            here.loop.tables.get("t#7")
    peers.close()

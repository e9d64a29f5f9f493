"""Workers of a whole mesh come and go while it answers."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from flightmesh.protocol.client_messages import Done, DrainWorker, UploadTable
from flightmesh.protocol.codec import encode
from flightmesh.transport.service import Asked
from tests.node.loopback import Client, Loopback, client_of, loopback
from tests.waiting import wait_until

ROWS = pa.table({"k": list(range(50_000)), "s": [str(number) for number in range(50_000)]})


@pytest.fixture
def mesh() -> Iterator[Loopback]:
    with loopback(workers=2) as mesh:
        yield mesh


def names(mesh: Loopback) -> list[str]:
    return [node.name for node in mesh.driver.mesh.workers()]


def drain(client: Client, name: str) -> None:
    assert client.ask("drain", DrainWorker(name), Done) == Done()


def test_one_that_people_drain_leaves_and_the_other_goes_on(mesh: Loopback) -> None:
    with client_of(mesh) as client:
        drain(client, "w0")
        mesh.workers[0].run_until_stopped()
        wait_until(lambda: names(mesh) == ["w1"])
        grouped = client.sql("select k, count(*) as n from (values (1), (2), (2)) as t(k) group by k order by k")
        assert grouped.to_pydict() == {"k": [1, 2], "n": [1, 2]}
        assert mesh.workers[0].id is not None  # it left by itself; nothing was torn down under it
        mesh.workers[0].close()
        assert mesh.workers[0].id is None


def test_one_that_drains_keeps_the_rows_that_nobody_has_read_yet(mesh: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    with client_of(mesh) as client:
        client.upload(Asked(encode(UploadTable("t"))), ROWS)
        info = client.info("select k, s from t where k % 7 <> 3")
        wait_until(lambda: all(job.state == "succeeded" for job in mesh.driver.mesh.jobs()))
        with caplog.at_level("INFO", "flightmesh"):
            for worker in mesh.workers:
                worker.drain()
        wait_until(lambda: all(node.state == "draining" for node in mesh.driver.mesh.workers()))
        waiting = [worker.waits_for() for worker in mesh.workers]
        assert any("job 1 (0 tasks running" in what for what in waiting), waiting
        assert names(mesh)
        found = client.rows(info)
        assert sorted(found["k"].to_pylist()) == [k for k in range(50_000) if k % 7 != 3]
        for worker in mesh.workers:
            worker.run_until_stopped()
        wait_until(lambda: not names(mesh))
        assert "the rows of 1 table in memory that lie here go with this worker" in caplog.text

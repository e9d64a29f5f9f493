"""What a client on a terminal sees of a mesh of processes when somebody else ends its query, or the driver."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.running import ENDLESS, command, environment, flightmesh
from tests.mesh.cluster import Cluster, cluster
from tests.waiting import wait_until

SECONDS = 20.0


@pytest.fixture
def mesh() -> Iterator[Cluster]:
    with cluster(workers=2) as made:
        yield made


@contextmanager
def endless(mesh: Cluster, numbers: Path) -> Iterator[subprocess.Popen[str]]:
    """A query that runs, in a process of its own."""
    query = ENDLESS.replace("n a, n b, n c", ", ".join(f"'{numbers}' {name}" for name in "abc"))
    process = subprocess.Popen(
        command("sql", "--driver", mesh.address, query),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    try:
        wait_until(lambda: any(job.state == "running" for job in mesh.jobs().jobs), 2 * SECONDS, "the query to run")
        yield process
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)


def test_a_query_that_somebody_else_cancels_says_so(mesh: Cluster, numbers: Path) -> None:
    with endless(mesh, numbers) as process:
        (job,) = mesh.jobs().jobs
        assert flightmesh("cancel", str(job.job), "--driver", mesh.address).returncode == 0
        _, said = process.communicate(timeout=SECONDS)
        assert process.returncode == 1
        assert said == "cancelled: it was cancelled by request\n"
    wait_until(mesh.is_idle, SECONDS, "the mesh to be idle")


def test_a_driver_that_is_ended_ends_its_queries_with_a_reason(mesh: Cluster, numbers: Path) -> None:
    with endless(mesh, numbers) as process:
        mesh.driver.signal(signal.SIGINT)
        _, said = process.communicate(timeout=SECONDS)
        assert (process.returncode, said) == (1, "cancelled: the driver went down\n")
    assert mesh.driver.process.wait(SECONDS) == 0
    assert all(worker.process.poll() is None for worker in mesh.workers), "workers wait for the next driver"

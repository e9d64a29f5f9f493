"""A mesh in this process whose workers serve folders of their own, and may read nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import flightmesh
from flightmesh.config import MIB, Config
from flightmesh.driver.record import JobRecord, TaskRecord
from flightmesh.node.offers import read_offers
from flightmesh.node.roots import Roots
from flightmesh.node.worker_node import Place, WorkerNode
from tests.node.loopback import Loopback, loopback, wait_until

NOWHERE = Roots(())


@contextmanager
def serving(offers: Mapping[str, list[str]]) -> Iterator[Loopback]:
    """The mesh: of each worker's name what it serves, as `NAME=PATH`, or `replica NAME=PATH`. No node allows any path."""
    with loopback(Config(threads=2, memory=512 * MIB), 0, NOWHERE) as mesh:
        for name, texts in offers.items():
            begin(mesh, name, texts)
        wait_until(lambda: len(mesh.driver.mesh.workers()) == len(offers), "the workers register")
        yield mesh


def begin(mesh: Loopback, name: str, texts: list[str]) -> WorkerNode:
    """One more worker."""
    replicas = [text.removeprefix("replica ") for text in texts if text.startswith("replica ")]
    parts = [text for text in texts if not text.startswith("replica ")]
    return mesh.begin(Place(name, roots=NOWHERE, offers=read_offers(parts, replicas)))


def begin_and_wait(mesh: Loopback, name: str, texts: list[str]) -> WorkerNode:
    """One more worker, once it is there."""
    worker = begin(mesh, name, texts)
    wait_until(lambda: name in names(mesh), f"{name} registers")
    return worker


def names(mesh: Loopback) -> set[str]:
    """The workers that are there."""
    return {worker.name for worker in mesh.driver.mesh.workers()}


def kill(mesh: Loopback, worker: WorkerNode) -> None:
    """The worker is gone without a word, and the driver has noticed."""
    name, leave = worker._name, worker._membership
    leave._go = lambda standing, reason: None  # type: ignore[method-assign]  # what a killed process does not say
    worker.close()
    mesh.workers.remove(worker)
    wait_until(lambda: name not in names(mesh), f"{name} is noticed to be gone")


def write(folder: Path, **files: dict[str, list[object]]) -> Path:
    """A folder of Parquet files, by the names that they have without the ending."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in files.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder


def rows(session: flightmesh.RemoteSession, sql: str) -> dict[str, list[object]]:
    """The rows of a query by column."""
    found: dict[str, list[object]] = session.sql(sql).to_arrow().to_pydict()
    return found


def scans(record: JobRecord | None) -> list[TaskRecord]:
    """The tasks of a job that drew splits."""
    assert record is not None
    return [task for stage in record.stages for task in stage.tasks if task.splits]

"""Our own files, by feature: embedded, on one worker and on three; every record passes, with the texts of its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import flightmesh
from flightmesh.config import Config
from tests.mesh.cluster import Cluster, cluster
from tests.meshes import AT_MESHES, AnySession, Meshes, session_at
from tests.slt.run import Suite, Verdict, run_file

CASES = sorted((Path(__file__).parent / "cases").glob("*.slt"))
EACH = pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)


@contextmanager
def embedded() -> Iterator[AnySession]:
    with flightmesh.connect(config=Config(threads=2, partitions=7)) as session:
        yield session


@pytest.fixture(scope="module")
def one_worker() -> Iterator[Cluster]:
    with cluster(1, mesh={"heartbeat_seconds": 0.1}) as made:
        yield made


@pytest.fixture(scope="module", params=AT_MESHES[:1])
def three_workers(request: pytest.FixtureRequest, meshes: Meshes) -> Cluster:
    return meshes.of(request.param)


def check(session: AnySession, path: Path) -> None:
    ran = list(run_file(session, path, Suite.OURS))
    assert len(ran) >= 5
    assert [str(one) for one in ran if one.verdict is not Verdict.PASSED] == []


@EACH
def test_embedded(path: Path) -> None:
    with embedded() as session:
        check(session, path)


@pytest.mark.xdist_group("slt-one-worker")
@EACH
def test_on_one_worker(one_worker: Cluster, path: Path) -> None:
    with one_worker.connect() as session:
        check(session, path)
        for name in session.tables():
            session.drop(name)


@EACH
def test_on_three_workers(three_workers: Cluster, path: Path) -> None:
    with session_at(three_workers, partitions=2) as session:
        check(session, path)

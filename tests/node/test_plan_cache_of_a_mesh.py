"""Plans that a driver keeps: for all sessions, each with its own names and rights; for the workers and files that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.config import Config
from flightmesh.errors import InvalidInput, InvalidQuery, WorkerLost
from flightmesh.node.roots import Roots
from flightmesh.node.worker_node import Place
from tests.node.loopback import Loopback, client_of, loopback, wait_until
from tests.node.serving import begin_and_wait, kill, serving
from tests.node.small_mesh import mesh
from tests.session.kept_plans import rows, rows_again

__all__ = ["mesh"]


@pytest.fixture
def first(mesh: Loopback) -> Iterator[flightmesh.RemoteSession]:
    with flightmesh.connect(mesh.driver.client_uri) as opened:
        yield opened


@pytest.fixture
def second(mesh: Loopback) -> Iterator[flightmesh.RemoteSession]:
    with flightmesh.connect(mesh.driver.client_uri) as opened:
        yield opened


def write(path: Path, *values: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"x": values}), path)


def leave(mesh: Loopback) -> None:
    """The last worker goes, and says so."""
    left = len(mesh.workers) - 1
    mesh.workers.pop().close()
    wait_until(lambda: len(mesh.driver.mesh.workers()) == left, "the worker has gone")


def test_sessions_go_on_with_each_others_plans(first: flightmesh.RemoteSession, second: flightmesh.RemoteSession) -> None:
    first.upload("shared", pa.table({"x": [1, 2]}))
    query = "select sum(x) as s from shared"
    assert rows(first, query) == rows_again(second, query) == [(3,)]
    second.upload("shared", pa.table({"x": [5]}))
    assert rows(first, query) == rows_again(second, query) == [(5,)]
    first.drop("shared")
    with pytest.raises(InvalidQuery, match="shared"):
        second.sql(query)


def test_what_is_a_sessions_own_stays_so(first: flightmesh.RemoteSession, second: flightmesh.RemoteSession) -> None:
    first.register("mine", pa.table({"x": [1]}))
    query = "select x from mine"
    assert rows(first, query) == rows_again(first, query) == [(1,)]
    with pytest.raises(InvalidQuery, match="no table or view is named 'mine'"):
        second.sql(query)
    second.register("mine", pa.table({"x": [2]}))
    assert rows(second, query) == [(2,)]
    assert rows(first, query) == [(1,)]
    second.drop("mine")
    second.sql("create view mine as select 3 as x")
    assert rows(second, query) == rows_again(second, query) == [(3,)]
    assert rows(first, query) == rows_again(first, query) == [(1,)]


def test_a_name_of_ones_own_hides_the_meshs(first: flightmesh.RemoteSession, second: flightmesh.RemoteSession) -> None:
    first.upload("hidden", pa.table({"x": [1]}))
    query = "select x from hidden"
    assert rows(first, query) == rows_again(second, query) == [(1,)]
    second.register("hidden", pa.table({"x": [2]}))
    assert rows_again(first, query) == [(1,)]
    assert rows(second, query) == [(2,)]
    assert rows(first, query) == [(1,)]


def test_partitions_of_a_session_are_its_own(mesh: Loopback, first: flightmesh.RemoteSession) -> None:
    query = "select count(*) as n from generate_series(1, 10) as s(x)"
    assert rows(first, query) == rows_again(first, query)
    with flightmesh.connect(mesh.driver.client_uri, config=Config(partitions=3)) as other:
        assert rows(other, query) == rows_again(other, query) == [(10,)]


@pytest.mark.parametrize("is_registered", [True, False])
def test_changed_files_are_seen(first: flightmesh.RemoteSession, tmp_path: Path, is_registered: bool) -> None:
    write(tmp_path / "d" / "a.parquet", 1)
    if is_registered:
        first.register("files", f"{tmp_path}/d")
    source = "files" if is_registered else f"'{tmp_path}/d'"
    query = f"select sum(x) as s from {source}"
    assert rows(first, query) == rows_again(first, query) == [(1,)]
    write(tmp_path / "d" / "a.parquet", 2)
    assert rows(first, query) == rows_again(first, query) == [(2,)]
    write(tmp_path / "d" / "b.parquet", 10)
    assert rows(first, query) == rows_again(first, query) == [(12,)]
    (tmp_path / "d" / "a.parquet").unlink()
    assert rows(first, query) == rows_again(first, query) == [(10,)]
    (tmp_path / "d" / "b.parquet").unlink()
    with pytest.raises(InvalidInput):
        first.sql(query)
    if is_registered:
        first.drop("files")


def test_workers_that_come_and_go_are_planned_for(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path / "d" / f"{number}.parquet", *range(number * 1000, number * 1000 + 1000))
    query = f"select x % 7 as k, count(*) as n from '{tmp_path}/d' group by k order by k"
    with loopback(workers=1) as mesh, flightmesh.connect(mesh.driver.client_uri) as session:
        expected = rows(session, query)
        assert rows_again(session, query) == expected
        mesh.begin(Place("late"))
        wait_until(lambda: len(mesh.driver.mesh.workers()) == 2, "the worker registers")
        assert rows(session, query) == rows_again(session, query) == expected
        leave(mesh)
        assert rows(session, query) == rows_again(session, query) == expected


def test_a_kept_plan_opens_no_root(tmp_path: Path) -> None:
    """A worker has come in another's place, with as many slots, that may not read what that one might."""
    write(tmp_path / "a.parquet", 1)
    query = f"select x from '{tmp_path}/a.parquet'"
    with loopback(workers=2) as mesh, flightmesh.connect(mesh.driver.client_uri) as session:
        assert rows(session, query) == rows_again(session, query) == [(1,)]
        leave(mesh)
        mesh.begin(Place("strict", roots=Roots(())))
        wait_until(lambda: len(mesh.driver.mesh.workers()) == 2, "the worker registers")
        with pytest.raises(InvalidInput, match="do not see the same files"):
            session.sql(query)


def test_served_files_are_looked_for_at_their_nodes(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.parquet", 1)
    write(tmp_path / "b" / "1.parquet", 10)
    query = "select sum(x) as s from t"
    offers = {name: [f"t={tmp_path / name}"] for name in ("a", "b")}
    with serving(offers) as mesh, flightmesh.connect(mesh.driver.client_uri) as session:
        assert rows(session, query) == rows_again(session, query) == [(11,)]
        write(tmp_path / "b" / "2.parquet", 100)
        assert rows(session, query) == rows_again(session, query) == [(111,)]
        write(tmp_path / "a" / "1.parquet", 2)
        assert rows(session, query) == rows_again(session, query) == [(112,)]
        kill(mesh, mesh.workers[-1])
        with pytest.raises(WorkerLost, match="table t is not whole: b"):
            session.sql(query)
        begin_and_wait(mesh, "b2", [f"t={tmp_path / 'b'}"])
        session.drop("t")  # what the lost node served is forgotten
        assert rows(session, query) == rows_again(session, query) == [(112,)]


def test_calls_without_a_session_go_on_with_plans_too(mesh: Loopback) -> None:
    plans = mesh.service.mesh.plans
    with client_of(mesh) as client:
        first = client.sql("select 41 + 1 as x")
        used = plans.used
        assert client.sql("select 41 + 1 as x") == first
        assert plans.used == used + 1
        with pytest.raises(InvalidQuery):
            client.info("create temporary table nobodys as select 41 + 1 as x")
    wait_until(mesh.is_idle, "the jobs are released")

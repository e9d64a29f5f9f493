"""Tables that nodes serve: the union of what they have, or replicas; read where the files are; whole, or an error says why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.config import Config
from flightmesh.errors import FlightmeshError, InvalidInput, InvalidQuery, NotAllowed, WorkerLost
from flightmesh.protocol.client_messages import Done, RegisterTable, Tables
from tests.node.loopback import Loopback, client_of, wait_until
from tests.node.serving import begin_and_wait, kill, names, rows, scans, serving, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of three nodes: `a` and `b` hold 0..3 and 10..13 in two files each, `c` the same as `a`."""
    made = tmp_path_factory.mktemp("nodes")
    for node, first in (("a", 0), ("b", 10), ("c", 0)):
        write(made / node / "t", one={"k": [first, first + 1]}, two={"k": [first + 2, first + 3]})
        write(made / node / "odd", rows={"day": ["monday"] if node == "a" else [1]})
        write(made / node / "wide", rows={"k": [first], "x" if node == "a" else "y": [1.5]})
        write(made / node / "bare", rows={"k": [first], "z": [None] if node == "a" else ["text"]})
        write(made / node / "empty")
        (made / node / "lines").mkdir()
        (made / node / "lines" / "l.csv").write_text("n,w\n1,one\n2,two\n" if node == "a" else "n,w\n3.5,three\n")
        for year in (2020 + first, 2021 + first):
            write(made / node / "hive" / f"year={year if node == 'a' else 'late'}", rows={"k": [year]})
    return made


@pytest.fixture(scope="module")
def mesh(folder: Path) -> Iterator[Loopback]:
    """`w-a` and `w-b` each serve their part, `w-a` and `w-c` replicas of `r`."""
    a, b, c = folder / "a", folder / "b", folder / "c"
    both = ("t", "odd", "wide", "bare", "lines", "hive")
    with serving(
        {
            "w-a": [f"replica r={a}/t", f"filled={a}/empty", f"mixed={a}/t", *(f"{table}={a}/{table}" for table in both)],
            "w-b": [f"filled={b}/t", f"replica mixed={b}/t", *(f"{table}={b}/{table}" for table in both)],
            "w-c": [f"replica r={c}/t"],
        }
    ) as made:
        yield made


@pytest.fixture
def session(mesh: Loopback) -> Iterator[flightmesh.RemoteSession]:
    with flightmesh.connect(mesh.driver.client_uri) as opened:
        yield opened


def test_the_union_is_read_where_the_files_are(session: flightmesh.RemoteSession, mesh: Loopback) -> None:
    result = session.sql("select count(*) as n, sum(k) as s, min(k) as low, max(k) as high from t where k >= 0")
    assert result.to_arrow().to_pylist() == [{"n": 8, "s": 52, "low": 0, "high": 13}]
    found = scans(result.metrics)
    assert {str(task.worker).rpartition("-")[0] for task in found} == {"w-a", "w-b"}
    assert sum(task.splits for task in found) == 4
    assert sum(task.elsewhere for task in found) == 0
    assert sorted(rows(session, "select k from T")["k"]) == [0, 1, 2, 3, 10, 11, 12, 13], "in any case of the name"


def test_replicas_count_once(session: flightmesh.RemoteSession) -> None:
    result = session.sql("select k from r")
    assert sorted(result.to_arrow().to_pydict()["k"]) == [0, 1, 2, 3]
    assert sum(task.elsewhere for task in scans(result.metrics)) == 0


def test_a_task_elsewhere_fetches_what_it_needs(mesh: Loopback) -> None:
    """With one task for all there is nobody else to read what lies at other nodes."""
    with flightmesh.connect(mesh.driver.client_uri, config=Config(partitions=1)) as session:
        result = session.sql("select k + 1 as k from t where k <> 2")
        assert sorted(result.to_arrow().to_pydict()["k"]) == [1, 2, 4, 11, 12, 13, 14]
        assert [(task.splits, task.elsewhere) for task in scans(result.metrics)] == [(4, 2)]
        assert "4 splits, 2 of them read at other workers" in session.explain("select k from t where k <> 2", "analyze")
        assert rows(session, "select count(*) as n from lines") == {"n": [3]}
        assert rows(session, "select n, w from lines order by n") == {"n": [1, 2, 3.5], "w": ["one", "two", "three"]}
        assert rows(session, "select year, k from hive where year <> 'late'") == {"year": ["2020", "2021"], "k": [2020, 2021]}


def test_joins_and_unions_of_served_tables(session: flightmesh.RemoteSession) -> None:
    joined = "select count(*) as n from t a join r b on a.k = b.k join t c on c.k = a.k"
    assert rows(session, joined) == {"n": [4]}
    assert rows(session, "select count(*) as n from (select k from t union all select k from r union all select k from t)") == {
        "n": [20]
    }


def test_columns_are_joined_as_those_of_several_files(session: flightmesh.RemoteSession) -> None:
    assert rows(session, "select k, x, y from wide order by k") == {"k": [0, 10], "x": [1.5, None], "y": [None, 1.5]}
    assert rows(session, "select k, z from bare order by k") == {"k": [0, 10], "z": [None, "text"]}
    with pytest.raises(InvalidInput) as error:
        session.sql("select * from odd")
    assert "table odd" in error.value.message and "'day'" in error.value.message
    assert "w-a" in error.value.message and "w-b" in error.value.message and error.value.position is not None


def test_nodes_that_do_not_agree_on_replicas(session: flightmesh.RemoteSession) -> None:
    with pytest.raises(InvalidInput, match="do not agree whether table mixed is replicated") as error:
        session.sql("select * from mixed")
    assert "w-a: part" in error.value.message and "w-b: replica" in error.value.message


def test_files_come_and_go(folder: Path, session: flightmesh.RemoteSession) -> None:
    assert sorted(rows(session, "select k from filled")["k"]) == [10, 11, 12, 13]
    write(folder / "a" / "empty", new={"k": [7]})
    assert sorted(rows(session, "select k from filled")["k"]) == [7, 10, 11, 12, 13]
    write(folder / "a" / "empty", new={"k": [70, 71]})
    assert sum(rows(session, "select k from filled")["k"]) == 187  # type: ignore[arg-type]
    (folder / "a" / "empty" / "new.parquet").unlink()
    assert rows(session, "select count(*) as n from filled") == {"n": [4]}


def test_statistics_of_all_nodes_guide_plans(session: flightmesh.RemoteSession, mesh: Loopback) -> None:
    files = mesh.service.mesh.files
    table = files.served.find("t")
    assert table is not None
    table = files.refresh(table)
    known = files.statistics(table)
    column = known.columns["k"]
    assert column.minimum is not None and column.maximum is not None
    assert (known.rows, column.minimum.as_py(), column.maximum.as_py(), column.null_count) == (8, 0, 13, 0)
    assert column.distinct is not None and 8 <= column.distinct <= 14
    assert known.bytes == sum(file.size for file in table.files)
    assert files.refresh(table) is table, "the same object while nothing has changed"


def test_names_of_served_tables_are_taken(session: flightmesh.RemoteSession, mesh: Loopback, folder: Path) -> None:
    assert {"t", "r", "odd", "filled"} <= set(session.tables())
    for create in ("create table t as select 1 as x", "create or replace table T as select 1 as x"):
        with pytest.raises(InvalidQuery, match="nodes of this mesh serve a table named"):
            session.sql(create)
    session.sql("create table if not exists t as select 1 as x")
    with pytest.raises(InvalidQuery, match="nodes of this mesh serve"):
        session.upload("t", pa.table({"x": [1]}))
    with pytest.raises(InvalidQuery, match="served by w-a, w-b"):
        session.sql("drop table t")
    assert rows(session, "select count(*) as n from t") == {"n": [8]}
    session.sql("create temporary table t as select 1 as x")
    assert rows(session, "select * from t") == {"x": [1]}, "a session's own names hide those of the mesh"
    session.sql("drop table t")
    session.sql("create view r as select 5 as five")
    assert rows(session, "select * from r") == {"five": [5]}
    session.sql("drop view r")
    assert rows(session, "select count(*) as n from r") == {"n": [4]}


def test_a_node_that_serves_a_registered_name(mesh: Loopback, session: flightmesh.RemoteSession, folder: Path) -> None:
    session.sql("create table late as select 1 as x")
    worker = begin_and_wait(mesh, "w-late", [f"late={folder}/b/t"])
    with pytest.raises(InvalidQuery, match="registered in this mesh, and nodes serve"):
        session.sql("select * from late")
    session.sql("drop table late")
    assert rows(session, "select count(*) as n from late") == {"n": [4]}
    worker.close()
    mesh.workers.remove(worker)
    wait_until(lambda: "w-late" not in names(mesh), "it has left")
    with pytest.raises(InvalidQuery, match="no table or view is named 'late'"):
        session.sql("select * from late")


def test_the_listing_says_where_tables_lie(mesh: Loopback, session: flightmesh.RemoteSession) -> None:
    with client_of(mesh) as client:
        tables = {table.name: table for table in client.ask("tables", None, Tables).tables}
    assert (tables["t"].kind, tables["t"].rows) == ("served", 8)
    assert [(p.node, p.copy, p.files, p.rows) for p in tables["t"].places] == [("w-a", "part", 2, 4), ("w-b", "part", 2, 4)]
    assert tables["t"].bytes == sum(place.bytes or 0 for place in tables["t"].places)
    assert [(p.node, p.copy) for p in tables["r"].places] == [("w-a", "replica"), ("w-c", "replica")]
    assert (tables["r"].rows, tables["r"].bytes) == (4, tables["r"].places[0].bytes)


def test_paths_are_not_allowed_for_their_being_served(mesh: Loopback, folder: Path) -> None:
    with client_of(mesh) as client:
        for path in (f"{folder}/a/t", f"{folder}/a/t/one.parquet", f"{folder}/a/t/*.parquet"):
            with pytest.raises(NotAllowed):
                client.info(f"select * from '{path}'")
            with pytest.raises(NotAllowed):
                client.ask("register-table", RegisterTable("x", (path,)), Done)


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    served, outside = write(tmp_path / "served", one={"k": [1]}), write(tmp_path / "outside", two={"k": [2]})
    with serving({"w": [f"t={served}"]}) as mesh, flightmesh.connect(mesh.driver.client_uri) as session:
        for name, target in (("l.parquet", outside / "two.parquet"), ("deep", outside)):
            (served / name).symlink_to(target)
            with pytest.raises(NotAllowed, match="a link that leads outside") as error:
                session.sql("select * from t")
            assert "table t at w" in error.value.message and name in error.value.message
            (served / name).unlink()
        (served / "again.parquet").symlink_to(served / "one.parquet")
        assert rows(session, "select k from t") == {"k": [1, 1]}


def test_what_is_lost_is_named_until_it_is_back(tmp_path: Path) -> None:
    parts = [write(tmp_path / name, rows={"k": [number]}) for number, name in enumerate("abc")]
    offers = {
        "w0": [f"t={parts[0]}", f"replica r={parts[0]}"],
        "w1": [f"t={parts[1]}", f"replica r={parts[0]}"],
        "w2": [f"t={parts[2]}"],
    }
    with serving(offers) as mesh, flightmesh.connect(mesh.driver.client_uri) as session:
        assert sorted(rows(session, "select k from t")["k"]) == [0, 1, 2]
        kill(mesh, mesh.workers[1])
        with pytest.raises(WorkerLost, match=r"table t is not whole: w1 \(w1-\w+\)") as error:
            session.sql("select k from t")
        assert "DROP TABLE t" in (error.value.hint or "")
        assert rows(session, "select k from r") == {"k": [0]}, "the other replica goes on"
        begin_and_wait(mesh, "w1", offers["w1"])
        assert sorted(rows(session, "select k from t")["k"]) == [0, 1, 2]
        kill(mesh, mesh.workers[-1])
        session.sql("drop table t")
        assert sorted(rows(session, "select k from t")["k"]) == [0, 2], "what was dropped is not missed"


def test_a_node_that_drains_withdraws_what_it_serves(tmp_path: Path) -> None:
    parts = [write(tmp_path / name, rows={"k": [number]}) for number, name in enumerate("ab")]
    offers = {"w0": [f"t={parts[0]}"], "w1": [f"t={parts[1]}"]}
    with serving(offers) as mesh, flightmesh.connect(mesh.driver.client_uri) as session:
        assert sorted(rows(session, "select k from t")["k"]) == [0, 1]
        mesh.workers[1].drain()
        wait_until(lambda: "w1" not in names(mesh), "it leaves")
        assert rows(session, "select k from t") == {"k": [0]}


@pytest.mark.parametrize(
    ("second", "error", "said"),
    [
        ("t={0}/a", InvalidInput, "w0 and w1 serve the same files as parts of table t"),
        ("t={0}/csv", InvalidInput, r"table t has another format at w0 \(parquet\) than at w1 \(csv\)"),
        ("t={0}/hive", InvalidInput, r"another partition columns at w0 \(none\) than at w1 \(year\)"),
    ],
)
def test_parts_that_make_no_table(tmp_path: Path, second: str, error: type[FlightmeshError], said: str) -> None:
    write(tmp_path / "a", rows={"k": [1]})
    write(tmp_path / "hive" / "year=2020", rows={"k": [1]})
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "rows.csv").write_text("k\n1\n")
    offers = {"w0": [f"t={tmp_path}/a"], "w1": [second.format(tmp_path)]}
    with serving(offers) as mesh, flightmesh.connect(mesh.driver.client_uri) as session, pytest.raises(error, match=said):
        session.sql("select * from t")


def test_replicas_that_differ(tmp_path: Path) -> None:
    write(tmp_path / "a", rows={"k": [1], "day": [dt.date(2020, 1, 1)]})
    write(tmp_path / "b", rows={"k": [1], "day": [dt.date(2020, 1, 1)]}, more={"k": [2], "day": [dt.date(2020, 1, 2)]})
    offers = {"w0": [f"replica t={tmp_path}/a"], "w1": [f"replica t={tmp_path}/b"]}
    with serving(offers) as mesh, flightmesh.connect(mesh.driver.client_uri) as session:
        with pytest.raises(InvalidInput, match=r"replicas of table t are not the same \(w0: 1 file, .*; w1: 2 files"):
            session.sql("select * from t")
        pq.write_table(pq.read_table(tmp_path / "b" / "more.parquet"), tmp_path / "a" / "more.parquet")
        assert sorted(rows(session, "select k from t")["k"]) == [1, 2]

"""Files of the nodes: under allowed roots, the same at all workers; and a client's own files."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.errors import InvalidInput, InvalidPlan, NotAllowed
from flightmesh.node.roots import Roots
from flightmesh.protocol.client_messages import (
    Done,
    OpenSession,
    Planned,
    RegisterTable,
    Run,
    Statement,
    UploadTable,
    WireTarget,
)
from flightmesh.protocol.codec import encode
from flightmesh.session.remote_params import pack_params
from flightmesh.transport.service import Asked
from tests.node.loopback import Client, client_of, loopback
from tests.node.small_mesh import client, mesh

__all__ = ["client", "mesh"]

PLAN = "inputs:\n  a: {{parquet: {0}}}\nsteps:\n  s: {{from: a}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    pq.write_table(pa.table({"x": [1, 2, 3]}), tmp_path / "in" / "a.parquet")
    pq.write_table(pa.table({"x": [4]}), tmp_path / "out" / "b.parquet")
    return tmp_path


def roots(*folders: Path) -> Roots:
    return Roots(tuple(os.path.realpath(folder) for folder in folders))


def test_paths_outside_the_drivers_roots(folder: Path) -> None:
    with loopback(workers=1, roots=roots(folder / "in")) as mesh, client_of(mesh, OpenSession()) as client:
        inside, outside = f"{folder}/in/a.parquet", f"{folder}/out/b.parquet"
        assert client.sql(f"select sum(x) as s from '{inside}'").to_pydict() == {"s": [6]}
        for path in (outside, f"{folder}/in/../out/b.parquet", f"{folder}/*/*.parquet"):
            with pytest.raises(NotAllowed) as sql:
                client.info(f"select *\nfrom '{path}'")
            assert sql.value.position is not None and sql.value.position.line == 2
            with pytest.raises(NotAllowed) as reader:
                client.info(f"select * from read_parquet('{path}')")
            assert reader.value.position is not None
            with pytest.raises(NotAllowed) as plan:
                client.info(PLAN.format(path))
            assert plan.value.position is not None and plan.value.position.line == 2
            with pytest.raises(NotAllowed):
                client.ask("register-table", RegisterTable("t", (path,)), Done)
        (folder / "in" / "link").symlink_to(folder / "out")
        with pytest.raises(NotAllowed):
            client.info(f"select * from '{folder}/in/link/b.parquet'")
        with pytest.raises(NotAllowed):
            client.info(PLAN.format(inside) + f"write: {{parquet: {folder}/out/c.parquet}}")
        assert sorted(path.name for path in (folder / "out").iterdir()) == ["b.parquet"]


def test_paths_outside_all_workers_roots(folder: Path) -> None:
    only_in = {0: roots(folder / "in"), 1: roots(folder / "in")}
    with loopback(worker_roots=only_in) as mesh, client_of(mesh, OpenSession()) as client:
        assert client.sql(f"select sum(x) as s from '{folder}/in'").to_pydict() == {"s": [6]}
        with pytest.raises(NotAllowed, match="outside the roots"):
            client.info(f"select * from '{folder}/out'")


def test_files_that_not_all_workers_see(folder: Path) -> None:
    with loopback(worker_roots={1: roots(folder / "in")}) as mesh, client_of(mesh, OpenSession()) as client:
        with pytest.raises(InvalidInput, match="do not see the same files") as error:
            client.info(f"select * from '{folder}/out'")
        assert "w0: 1 file" in error.value.message and "w1: " in error.value.message
        assert "outside the roots" in error.value.message


def test_files_that_are_nowhere(client: Client, folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nothing\.parquet does not exist") as error:
        client.info(f"select * from '{folder}/nothing.parquet'")
    assert error.value.position is not None
    with pytest.raises(InvalidInput, match="no file matches"):
        client.info(f"select * from '{folder}/in/*.csv'")


def test_a_registered_table_is_its_files_as_they_are_now(client: Client, folder: Path) -> None:
    client.ask("register-table", RegisterTable("now", (f"{folder}/in",)), Done)
    assert client.sql("select sum(x) as s from now").to_pydict() == {"s": [6]}
    pq.write_table(pa.table({"x": [10]}), folder / "in" / "c.parquet")
    assert client.sql("select sum(x) as s from now").to_pydict() == {"s": [16]}
    (folder / "in" / "a.parquet").unlink()
    assert client.sql("select sum(x) as s from now").to_pydict() == {"s": [10]}
    (folder / "in" / "c.parquet").unlink()
    with pytest.raises(InvalidInput):
        client.sql("select sum(x) from now")
    client.sql("drop table now")


def test_options_of_formats(client: Client, folder: Path) -> None:
    (folder / "in" / "d.txt").write_text("x;y\n1;a\n2;b\n")
    wanted = RegisterTable("text", (f"{folder}/in/d.txt",), "csv", (("delimiter", ";"), ("header", "true")))
    client.ask("register-table", wanted, Done)
    assert client.sql("select y from text where x = 2").to_pydict() == {"y": ["b"]}
    client.sql("drop table text")


def test_a_plan_writes_on_the_nodes(client: Client, folder: Path) -> None:
    plan = PLAN.format(folder / "in")
    written = client.sql(plan + f"write: {{csv: {folder}/out/rows.csv}}")
    assert written.to_pydict() == {"file": [f"{folder}/out/rows.csv"], "rows": [3]}
    assert (folder / "out" / "rows.csv").read_text().splitlines() == ["x", "1", "2", "3"]
    info = client.info(plan + f"write: {{parquet: {folder}/out/parts/}}")
    assert not (folder / "out" / "parts").exists(), "it is written when the answer is read"
    assert client.rows(info)["rows"].to_pylist() == [3]
    assert client.rows(info)["rows"].to_pylist() == [3], "and once"
    assert pq.read_table(folder / "out" / "parts").num_rows == 3


def test_a_plan_that_fails_writes_nothing(client: Client, folder: Path) -> None:
    plan = f"inputs:\n  a: {{parquet: {folder}/in}}\nsteps:\n  s: {{from: a, select: {{y: \"cast('q' || x as int)\"}}}}\n"
    with pytest.raises(Exception, match="cannot cast"):
        client.sql(plan + f"write: {{csv: {folder}/out/rows.csv}}")
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["b.parquet"]


def test_a_plan_that_writes_at_the_client(client: Client, folder: Path) -> None:
    plan = PLAN.format(folder / "in") + "write: {csv: out/rows.csv, to: client}"
    planned = client.ask("statement", Statement(plan=plan), Planned)
    assert planned.write == WireTarget("out/rows.csv", "csv")
    assert client.rows(client.info(encode(Run(statement=planned.statement)))).to_pydict() == {"x": [1, 2, 3]}


def test_relative_targets(client: Client, folder: Path) -> None:
    with pytest.raises(InvalidPlan, match="relative") as error:
        client.ask("statement", Statement(plan=PLAN.format(folder / "in") + "write: {csv: rows.csv}"), Planned)
    assert error.value.position is not None and error.value.position.line == 5
    assert "to: client" in str(error.value.hint)


def test_paths_in_parameters(client: Client, folder: Path) -> None:
    plan = "params: {where: {type: path, default: in}}\n" + PLAN.format('"{where}/a.parquet"')
    with pytest.raises(InvalidInput, match=r"in/a\.parquet is relative"):
        client.info(plan)
    for given, error in ((f"{folder}/in", None), ("in", r"in/a\.parquet is relative")):
        run = encode(Run(plan=plan, params=pack_params({"where": given})))
        if error is None:
            assert client.rows(client.info(run)).num_rows == 3
        else:
            with pytest.raises(InvalidInput, match=error):
                client.info(run)


def test_inputs_of_the_client(client: Client) -> None:
    plan = "inputs:\n  a: {csv: mine.csv, file: local}\nsteps:\n  s: {from: a, where: x > 1}\n"
    with pytest.raises(InvalidInput, match="were not uploaded") as error:
        client.ask("statement", Statement(plan=plan), Planned)
    assert error.value.position is not None and error.value.position.line == 2
    client.upload(Asked(command=encode(UploadTable("sent", True))), pa.table({"x": [1, 2, 3]}))
    planned = client.ask("statement", Statement(plan=plan, uploads=(("a", "sent"),)), Planned)
    assert client.rows(client.info(encode(Run(statement=planned.statement)))).to_pydict() == {"x": [2, 3]}

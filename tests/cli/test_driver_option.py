"""`--driver`: the same commands against a mesh of processes."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.cli.running import flightmesh, rows_of
from tests.mesh.cluster import Cluster
from tests.meshes import Meshes

pytestmark = pytest.mark.xdist_group("mesh-get")


@pytest.fixture(scope="module")
def mesh(meshes: Meshes) -> Cluster:
    return meshes.of("get")


def test_sql(mesh: Cluster, orders: Path) -> None:
    said = rows_of(
        flightmesh(
            "sql", "--driver", mesh.address, "-r", f"cli_o={orders}", "select count(*) as n from cli_o", "--format", "csv"
        )
    )
    assert said == ["n", "1000"]
    text = f"select status, count(*) as n from '{orders}/*.parquet' group by 1 order by 1 nulls first"
    said = rows_of(flightmesh("sql", text, "--format", "csv", FLIGHTMESH_DRIVER=mesh.uri))
    assert said == ["status,n", ",143", "open,429", "shipped,428"]
    drop(mesh, "cli_o")


def test_the_file_may_name_the_driver(mesh: Cluster, tmp_path: Path) -> None:
    """Settings of nodes in the environment do not concern a client; a flag goes before the file."""
    file = tmp_path / "client.yaml"
    file.write_text(f"node:\n  driver: {mesh.uri}\n")
    flightmesh("sql", "--config", file, "create table of_file as select 42 as x", FLIGHTMESH_THREADS="3")
    assert rows_of(flightmesh("sql", "--driver", mesh.address, "select x from of_file", "--format", "csv")) == ["x", "42"]
    drop(mesh, "of_file")
    failed = flightmesh("sql", "--config", file, "--driver", "127.0.0.1:1", "select 1")
    assert "no driver answers at" in failed.stderr


def test_statements_share_a_session(mesh: Cluster) -> None:
    said = rows_of(
        flightmesh(
            "sql", "--driver", mesh.address, "create view v as select 1 as x; select x + 1 as y from v", "--format", "json"
        )
    )
    assert [json.loads(line) for line in said] == [{"y": 2}]


def test_parameters_and_files(mesh: Cluster, orders: Path, tmp_path: Path) -> None:
    target = tmp_path / "big.parquet"
    text = f"select id from '{orders}/*.parquet' where total >= :floor"
    ran = flightmesh("sql", "--driver", mesh.address, text, "--param", "floor=249", "-o", target)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert rows_of(flightmesh("sql", f"select count(*) as n from '{target}'", "--format", "csv")) == ["n", "4"]


def test_a_mistake_is_shown_with_its_place(mesh: Cluster) -> None:
    ran = flightmesh("sql", "--driver", mesh.address, "select 1,\n  nothere from p")
    assert ran.returncode == 1
    assert "line 2, column 3" in ran.stderr
    assert "^^^^^^^" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_relative_paths_are_refused_with_a_hint(mesh: Cluster, orders: Path) -> None:
    ran = flightmesh("sql", "--driver", mesh.address, f"from '{orders.name}/*.parquet'", cwd=orders.parent)
    assert ran.returncode == 1
    assert "relative" in ran.stderr
    assert "hint:" in ran.stderr


def test_explain(mesh: Cluster) -> None:
    said = flightmesh("explain", "--driver", mesh.address, "select k, count(*) from t group by k", "--analyze")
    assert said.returncode == 0, said.stderr
    assert "Scan t" in said.stdout
    assert " on w" in said.stdout, "each task with its worker"


def test_a_plan_with_files_of_the_client(mesh: Cluster, orders: Path, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(
        f"inputs:\n  o: {{parquet: {orders.name}/*.parquet, file: local}}\nparams: {{least: 990}}\n"
        "steps:\n  s: {from: o, where: id >= :least, select: [id], order_by: [id]}\nwrite: {csv: out.csv, to: client}\n"
    )
    (tmp_path / orders.name).symlink_to(orders)
    ran = flightmesh("run", "--driver", mesh.address, tmp_path / "plan.yaml", "--set", "least=997")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out.csv").read_text().split() == ["id", "997", "998", "999"]
    assert "out.csv" in ran.stdout


def test_the_shell(mesh: Cluster) -> None:
    script = ".mode csv\nselect sum(v) as s from t;\n.tables\n.schema p\n"
    ran = flightmesh("shell", "--driver", mesh.address, stdin=script)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["s", "499999500000", "p", "t", "p", "  k     int64", "  name  string"]


def test_settings_of_the_nodes_are_refused(mesh: Cluster) -> None:
    ran = flightmesh("sql", "--driver", mesh.address, "select 1", "--threads", "2")
    assert ran.returncode == 2
    assert "--slots" in ran.stderr


def test_rows_through_the_driver(mesh: Cluster) -> None:
    before = mesh.driver_row_bytes()
    text = "select k, count(*) as n from t where k < 2 group by k order by k"
    said = rows_of(flightmesh("sql", "--driver", mesh.address, "--through-driver", text, "--format", "csv"))
    assert said == ["k,n", "0,100000", "1,100000"]
    assert mesh.driver_row_bytes() > before
    assert flightmesh("sql", "select 1", "--through-driver").returncode == 2


@pytest.mark.parametrize("command", [("sql", "select 1"), ("explain", "select 1"), ("shell",)], ids=lambda command: command[0])
def test_nobody_there(command: tuple[str, ...]) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        ran = flightmesh(*command, "--driver", f"127.0.0.1:{held.getsockname()[1]}", stdin="select 1;")
    assert ran.returncode == 1
    assert "no driver answers at grpc://127.0.0.1:" in ran.stderr
    assert "hint:" in ran.stderr
    assert flightmesh(*command, "--driver", "nowhere").returncode == 1


def drop(mesh: Cluster, name: str) -> None:
    with mesh.connect() as session:
        session.drop(name)

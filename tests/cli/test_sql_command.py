import csv
import io
import json
import subprocess
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.running import command, environment, flightmesh, rows_of

BY_STATUS = "select status, count(*) as n, sum(total) as total from orders group by status order by n, status"


def expected(orders: Path) -> list[tuple[object, ...]]:
    return duckdb.sql(BY_STATUS.replace("orders", f"'{orders}/*.parquet'")).fetchall()


def test_a_table(orders: Path) -> None:
    lines = rows_of(flightmesh("sql", BY_STATUS, "-r", f"orders={orders}"))
    assert lines[1].split() == ["│", "status", "│", "n", "│", "total", "│"]
    assert [line.strip("│").split("│")[0].strip() for line in lines[4:7]] == ["NULL", "shipped", "open"]
    assert lines[-1] == "3 rows"


def test_csv(orders: Path) -> None:
    lines = rows_of(flightmesh("sql", BY_STATUS, "-r", f"orders={orders}", "--format", "csv"))
    rows = list(csv.reader(lines))
    assert rows[0] == ["status", "n", "total"]
    assert rows[1:] == [[str(value) if value is not None else "" for value in row] for row in expected(orders)]


def test_json(orders: Path) -> None:
    lines = rows_of(flightmesh("sql", BY_STATUS, "-r", f"orders={orders}", "--format", "json"))
    assert [tuple(json.loads(line).values())[:2] for line in lines] == [row[:2] for row in expected(orders)]


def test_arrow_on_a_pipe(orders: Path) -> None:
    done = subprocess.run(
        command("sql", "select * from orders", "-r", f"orders={orders}", "--format", "arrow"), capture_output=True
    )
    assert done.returncode == 0, done.stderr
    table = pa.ipc.open_stream(io.BytesIO(done.stdout)).read_all()
    assert table.num_rows == 1000
    assert table.schema.names == ["id", "total", "status"]


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv", "jsonl"])
def test_a_file_has_the_format_of_its_ending(orders: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"
    assert rows_of(flightmesh("sql", "select * from orders", "-r", f"orders={orders}", "-o", path)) == []
    match ending:
        case "parquet":
            rows = pq.read_table(path).num_rows
        case "arrow":
            rows = pa.ipc.open_file(path).read_all().num_rows
        case "csv":
            rows = len(path.read_text().splitlines()) - 1
        case _:
            rows = len([json.loads(line) for line in path.read_text().splitlines()])
    assert rows == 1000
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_result_without_rows_is_a_whole_file(orders: Path, tmp_path: Path) -> None:
    for name in ("a.csv", "a.parquet", "a.arrow"):
        assert (
            rows_of(flightmesh("sql", "select id from orders where id < 0", "-r", f"orders={orders}", "-o", tmp_path / name))
            == []
        )
    assert (tmp_path / "a.csv").read_text() == "id\n"
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 0
    assert pa.ipc.open_file(tmp_path / "a.arrow").read_all().num_rows == 0


def test_a_failure_leaves_the_old_file(orders: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("the old one\n")
    failed = flightmesh("sql", "select id, cast('x' || id as int) from orders", "-r", f"orders={orders}", "-o", path)
    assert failed.returncode == 1, failed.stderr
    assert path.read_text() == "the old one\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_statement_from_stdin_and_from_a_file(orders: Path, tmp_path: Path) -> None:
    script = tmp_path / "report.sql"
    script.write_text("create view big as select * from orders where total > 200;\nselect count(*) as n from big;\n")
    by_file = flightmesh("sql", "-f", script, "-r", f"orders={orders}", "--format", "csv")
    by_stdin = flightmesh("sql", "-", "-r", f"orders={orders}", "--format", "csv", stdin=script.read_text())
    assert rows_of(by_file) == rows_of(by_stdin) == ["n", "199"]


def test_params_and_engine_settings(orders: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("partitions: 3\n")
    query = "select count(*) as n from orders where total >= :floor and status = :status"
    params = ("--param", "floor=100.5", "--param", "status=open")
    engine = ("--config", settings, "--threads", "2", "--memory", "1GiB", "--format", "csv")
    lines = rows_of(flightmesh("sql", query, "-r", f"orders={orders}", *params, *engine))
    wanted = query.replace(":floor", "100.5").replace(":status", "'open'").replace("orders", f"'{orders}/*.parquet'")
    assert lines == ["n", str(duckdb.sql(wanted).fetchone()[0])]


def test_an_empty_param_is_an_empty_text() -> None:
    lines = rows_of(flightmesh("sql", "select :x || '.' as t, :x is null as n", "--param", "x=", "--format", "csv"))
    assert lines == ["t,n", ".,false"]


def test_files_named_in_the_query(orders: Path) -> None:
    assert rows_of(flightmesh("sql", "select count(*) as n from 'part-*.parquet'", "--format", "csv", cwd=orders)) == [
        "n",
        "1000",
    ]


def test_explain_prints_the_plan_as_it_is(orders: Path) -> None:
    query = "/* why so slow? */ explain select count(*) from orders where id > 3"
    lines = rows_of(flightmesh("sql", query, "-r", f"orders={orders}"))
    assert lines == rows_of(flightmesh("explain", "select count(*) from orders where id > 3", "-r", f"orders={orders}"))
    assert rows_of(flightmesh("shell", "-r", f"orders={orders}", stdin=query)) == lines


def test_a_traceback_on_request() -> None:
    failed = flightmesh("sql", "select nowhere", FLIGHTMESH_DEBUG="1")
    assert failed.returncode == 1
    assert "Traceback" in failed.stderr


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select totl from orders", ["totl", "line 1, column 8", "^", "total"]),
        ("select * from ordres", ["ordres", "orders"]),
        ("select * form orders", ["line 1"]),
        ("select 1/0 from 'nowhere/*.parquet'", ["nowhere"]),
        ("select cast(status as int) from orders", ["status"]),
    ],
)
def test_query_errors(orders: Path, query: str, said: list[str]) -> None:
    failed = flightmesh("sql", query, "-r", f"orders={orders}")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith("error: ")
    assert all(word in failed.stderr for word in said), failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("sql",), "give the statement"),
        (("sql", "select 1", "-r", "orders"), "not NAME=VALUE"),
        (("sql", "select 1", "--memory", "lots"), "not a size"),
        (("sql", "select 1", "-r", "orders="), "has no path"),
        (("sql", "select 1", "--memory", "0"), "at least 1 byte"),
        (("sql", "select 1", "--memory", "0GiB"), "at least 1 byte"),
        (("sql", "select 1", "--param", "=x"), "not NAME=VALUE"),
        (("sql", "select 1", "--threads", "0"), "in the range x>=1"),
        (("sql", "select 1", "--format", "xml"), "xml"),
        (("sql", "select 1", "-o", "out.xyz"), "tells no format"),
        (("sql", "select 1", "-o", "nowhere/out.csv"), "no folder"),
        (("sql", "select 1", "--param", "x"), "not NAME=VALUE"),
        (("nonsense",), "nonsense"),
    ],
)
def test_usage_errors(args: tuple[str, ...], said: str) -> None:
    failed = flightmesh(*args)
    assert failed.returncode == 2
    assert said in " ".join(failed.stderr.replace("│", "").split())
    assert "Traceback" not in failed.stderr


def test_a_wrong_setting_is_placed(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("thread: 2\n")
    failed = flightmesh("sql", "select 1", "--config", settings)
    assert failed.returncode == 1
    assert f"{settings}:1:1" in failed.stderr
    assert "did you mean 'threads'?" in failed.stderr


def test_a_missing_script(tmp_path: Path) -> None:
    failed = flightmesh("sql", "-f", tmp_path / "nowhere.sql")
    assert failed.returncode == 1
    assert failed.stderr == f"error: No such file or directory: {tmp_path / 'nowhere.sql'}\n"


def test_a_closed_pipe_is_no_error(orders: Path) -> None:
    query = "select a.id from orders a, orders b"
    process = subprocess.Popen(
        command("sql", query, "-r", f"orders={orders}", "--format", "csv"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == b"id\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141

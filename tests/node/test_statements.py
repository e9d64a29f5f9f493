"""Statements of clients: what they answer, when they run, where their mistakes are."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flightmesh.config import MIB, Config, ExchangeConfig
from flightmesh.errors import DataError, InvalidInput, InvalidPlan, InvalidQuery, NodeUnavailable, UnsupportedFeature
from flightmesh.protocol.client_messages import (
    Explain,
    Jobs,
    OpenSession,
    Planned,
    Run,
    Statement,
    Text,
)
from flightmesh.protocol.codec import encode
from flightmesh.session.remote_params import pack_params
from flightmesh.transport.service import Asked
from tests.node.loopback import Client, Loopback, client_of, loopback
from tests.node.small_mesh import ROWS, client, mesh, numbers

__all__ = ["client", "mesh", "numbers"]


def test_rows_of_a_query(client: Client, numbers: str) -> None:
    rows = client.sql(f"select k, count(*) as n, sum(v) as s from '{numbers}' group by k order by k")
    assert rows["k"].to_pylist() == list(range(10))
    assert rows["n"].to_pylist() == [ROWS // 10] * 10
    assert sum(rows["s"].to_pylist()) == ROWS * (ROWS - 1) // 2


def test_names_may_repeat(client: Client) -> None:
    assert client.info("select 1 as a, 2 as a").schema.names == ["a", "a"]


def test_a_plan(client: Client, numbers: str) -> None:
    plan = f"inputs:\n  n: {{parquet: {numbers}}}\nsteps:\n  s: {{from: n, where: v < 5, aggregate: {{n: count(*)}}}}\n"
    assert client.sql(plan).to_pydict() == {"n": [5]}


def test_parameters(client: Client) -> None:
    run = Run(sql="select $1 + $2 as s", params=pack_params([1, 2]))
    assert client.rows(client.info(encode(run))).to_pydict() == {"s": [3]}
    run = Run(sql="select :a || :b as s", params=pack_params({"a": "x", "b": "y"}))
    assert client.rows(client.info(encode(run))).to_pydict() == {"s": ["xy"]}
    run = Run(plan="params: {n: 1}\nsteps:\n  s: {values: [{x: 1}], where: x = :n}\n", params=pack_params({"n": 2}))
    assert client.rows(client.info(encode(run))).num_rows == 0


def test_a_dialect_of_a_statement_and_of_a_session(mesh: Loopback, client: Client) -> None:
    text = "select `x` from (select 7 as x)"
    assert client.rows(client.info(encode(Run(sql=text, dialect="mysql")))).to_pydict() == {"x": [7]}
    with client_of(mesh, OpenSession(dialect="mysql")) as other:
        assert other.sql(text).to_pydict() == {"x": [7]}


def test_a_planned_statement_is_run_as_often_as_it_is_asked_for(client: Client) -> None:
    planned = client.ask("statement", Statement("select 1 as x, 'a' as y"), Planned)
    assert pa.ipc.read_schema(pa.py_buffer(planned.schema)) == pa.schema([("x", pa.int32()), ("y", pa.string())])
    assert planned.rows is None and planned.statement is not None
    for _ in range(2):
        assert client.rows(client.info(encode(Run(statement=planned.statement)))).to_pydict() == {"x": [1], "y": ["a"]}


def test_a_statement_belongs_to_its_session(mesh: Loopback, client: Client) -> None:
    planned = client.ask("statement", Statement("select 1 as x"), Planned)
    with client_of(mesh, OpenSession()) as other, pytest.raises(InvalidQuery, match="no such statement"):
        other.info(encode(Run(statement=planned.statement)))


def test_statements_without_a_job_answer_their_rows(client: Client) -> None:
    planned = client.ask("statement", Statement("explain select 1"), Planned)
    assert planned.statement is None and planned.rows is not None
    with pa.ipc.open_stream(planned.rows) as reader:
        assert reader.read_all()["plan"].to_pylist()[0].startswith("Project")
    info = client.info("explain select 1")
    assert info.metadata == b"" and info.endpoints[0].location is None
    assert client.rows(info).num_rows == info.rows == 2
    assert client.rows(info).num_rows == 2, "they may be read again"


def test_explain_analyze_shows_workers_tasks_and_exchanges(client: Client, numbers: str) -> None:
    text = client.ask("explain", Explain(f"select k, count(*) from '{numbers}' group by k", "analyze"), Text).text
    assert text.startswith("10 rows in ")
    assert "2 workers; spilled 0 B; credit wait " in text.splitlines()[0]
    assert "on w0-" in text and "on w1-" in text, "each task says where it ran"
    assert "by get, " in text and "tasks read it as it came" in text
    assert "remote bytes" in text


def test_explain_analyze_of_a_pushing_mesh_that_spills(numbers: str) -> None:
    exchange = ExchangeConfig(mode="put", memory=256 * 1024)
    with loopback(Config(threads=2, memory=512 * MIB, exchange=exchange)) as mesh, client_of(mesh, OpenSession()) as client:
        text = client.ask("explain", Explain(f"select v + 1, count(*) from '{numbers}' group by v + 1", "analyze"), Text).text
        head = text.splitlines()[0]
        assert head.startswith(f"{ROWS:,} rows in ") and "spilled 0 B" not in head and "spilled " in head
        assert "by put, " in text
        tasks = [line for line in text.splitlines() if line.startswith("  task ")]
        assert all("credit wait " in line and "spilled " in line for line in tasks)
        assert any(" from other workers" in line and " 0 B from other workers" not in line for line in tasks)


@pytest.mark.parametrize("level", ["logical", "optimized", "physical", "stages"])
def test_other_levels_run_nothing(client: Client, numbers: str, level: str) -> None:
    before = len(client.ask("jobs", None, Jobs).jobs)
    assert "Scan" in client.ask("explain", Explain(f"select k from '{numbers}'", level), Text).text
    assert len(client.ask("jobs", None, Jobs).jobs) == before


def test_get_schema_plans_and_runs_nothing(client: Client) -> None:
    before = len(client.ask("jobs", None, Jobs).jobs)
    for command, names in {
        b"select 1 as x, 'a' as y": ["x", "y"],
        b"create table not_made as select 1": [],
        b"drop table not_there": [],
        b"explain analyze select 1": ["plan"],
        b"steps: {s: {values: [{z: 1}]}}": ["z"],
        b"steps: {s: {values: [{z: 1}]}}\nwrite: {csv: /tmp/never.csv}": ["file", "rows"],
    }.items():
        assert client.connection.schema(Asked(command=command)).names == names, command
    assert len(client.ask("jobs", None, Jobs).jobs) == before
    with pytest.raises(InvalidQuery, match="not_made"):
        client.sql("select * from not_made")


def test_mistakes_have_their_place(client: Client) -> None:
    with pytest.raises(InvalidQuery, match="no table") as unknown:
        client.info("select *\nfrom nowhere")
    assert str(unknown.value.position) == "line 2, column 6"
    assert "^^^^^^^" in unknown.value.render()
    with pytest.raises(InvalidPlan) as plan:
        client.ask("statement", Statement(plan="steps:\n  a: {from: b}\n", source="my.yaml"), Planned)
    assert str(plan.value.position).startswith("my.yaml:2:")
    with pytest.raises(DataError, match="cast"):
        client.rows(client.info("select cast(x as integer) from (values ('a'), ('b')) t(x) where length(x) < 7"))


def test_relative_paths_are_refused_with_the_way_out(client: Client) -> None:
    for text in ("select * from 'data/x.parquet'", "inputs: {x: {csv: data/x.csv}}\nsteps: {s: {from: x}}"):
        with pytest.raises(InvalidInput, match="relative") as error:
            client.info(text)
        assert "session.upload" in str(error.value.hint) and "file: local" in str(error.value.hint)
        assert error.value.position is not None


def test_unknown_actions(client: Client) -> None:
    with pytest.raises(UnsupportedFeature, match="run-task"):
        client.connection.action("run-task", b"")
    known = {kind.name for kind in client.connection.actions()}
    assert {"statement", "submit", "status", "cancel", "nodes", "jobs", "stages", "tasks"} <= known
    assert not known & {"register", "heartbeat", "orders", "reports"}


def test_a_mesh_without_workers_says_so() -> None:
    with loopback(workers=0) as empty, client_of(empty, OpenSession()) as client:
        with pytest.raises(NodeUnavailable, match="no workers"):
            client.info("select 1")
        with pytest.raises(NodeUnavailable, match="no workers"):
            client.info("select * from '/tmp/x.parquet'")
        assert client.sql("explain select 1").num_rows == 2

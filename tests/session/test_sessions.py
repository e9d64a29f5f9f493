"""Sessions: tables, views, statements that change names, plans, explaining, configuration, closing."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.catalog.table import FileTable, MemoryTable
from flightmesh.config import Config, NodeConfig
from flightmesh.errors import Cancelled, InternalError, InvalidConfig, InvalidInput, InvalidQuery, ResourceExhausted
from flightmesh.exchange.budget import NO_JOB, MemoryBudget
from flightmesh.ids import JobId
from flightmesh.runtime.gathering import RESULT
from flightmesh.session import Session, connect
from flightmesh.session.engine import TABLES
from tests.session.conftest import AnySession
from tests.waiting import wait_until


def rows(session: AnySession, text: str, **options: object) -> list[tuple[object, ...]]:
    columns = session.sql(text, **options).to_arrow().columns  # type: ignore[arg-type]
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


SMALL = pa.table({"x": [1, 2, 3]})


@pytest.mark.parametrize(
    "source",
    [
        lambda: SMALL,
        lambda: SMALL.to_batches()[0],
        SMALL.to_reader,
        lambda: ds.dataset(SMALL),
        lambda: pd.DataFrame({"x": [1, 2, 3]}),
        lambda: {"x": [1, 2, 3]},
    ],
    ids=["Table", "RecordBatch", "RecordBatchReader", "dataset", "DataFrame", "dict"],
)
def test_data_of_every_kind(plain: AnySession, source: Callable[[], object]) -> None:
    plain.register("small", source())
    assert rows(plain, "select sum(x) from small") == [(6,)]


def test_datasets_of_files_are_read_by_queries(embedded: Session, tmp_path: Path) -> None:
    pq.write_table(SMALL, tmp_path / "a.parquet")
    embedded.register("d", ds.dataset(tmp_path))
    embedded.register("filtered", ds.dataset(tmp_path).filter(ds.field("x") > 1))
    assert isinstance(embedded.catalog.peek("d"), FileTable)
    assert isinstance(embedded.catalog.peek("filtered"), MemoryTable)
    assert rows(embedded, "select sum(x) from d") == [(6,)]
    assert rows(embedded, "select sum(x) from filtered") == [(5,)]


def test_files_with_options(plain: AnySession, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x;y\n1;a\n2;b\n")
    plain.register("a", tmp_path / "a.txt", format="csv", delimiter=";", header=True)
    assert rows(plain, "select x, y from a order by x") == [(1, "a"), (2, "b")]
    plain.register("typed", tmp_path / "a.txt", format="csv", delimiter=";", types={"x": "VARCHAR"})
    assert rows(plain, "select x from typed order by x") == [("1",), ("2",)]
    pq.write_table(SMALL, tmp_path / "one.parquet")
    pq.write_table(SMALL, tmp_path / "two.parquet")
    plain.register("both", [str(tmp_path / "one.parquet"), str(tmp_path / "two.parquet")])
    assert rows(plain, "select count(*) from both") == [(6,)]
    plain.register("globbed", f"{tmp_path}/*.parquet")
    assert rows(plain, "select count(*) from globbed") == [(6,)]


def test_what_is_uploaded_can_be_dropped(plain: AnySession, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1;x\n2;y\n")
    plain.upload("up_file", tmp_path / "a.txt", format="csv", delimiter=";", header=False)
    plain.upload("up_data", {"x": [1, 2, 3]})
    plain.sql("create view up_view as select x from up_data")
    assert plain.sql("select count(*) as n from up_file").to_arrow().to_pydict() == {"n": [2]}
    assert plain.sql("select sum(x) as s from up_view").to_arrow().to_pydict() == {"s": [6]}
    for name in ("up_file", "up_data", "up_view"):
        assert name in plain.tables()
        plain.drop(name)
        assert name not in plain.tables()
        with pytest.raises(InvalidQuery, match="up"):
            plain.drop(name)
    with pytest.raises(InvalidQuery, match="takes no options, but got delimiter"):
        plain.upload("up_wrong", {"x": [1]}, delimiter=";")
    assert (tmp_path / "a.txt").exists()


def test_what_cannot_be_registered(plain: AnySession) -> None:
    with pytest.raises(InvalidInput):
        plain.register("x", 42)
    with pytest.raises(InvalidInput):
        plain.register("x", "no/such/folder")
    with pytest.raises(InvalidQuery, match="takes no options, but got delimiter"):
        plain.register("x", SMALL, delimiter=";")


def test_a_table_replaced_or_dropped_is_there_for_results_that_read_it(plain: AnySession) -> None:
    plain.register("s", {"x": [1]})
    before = plain.sql("select x from s")
    plain.register("s", {"x": [2]})
    after = plain.sql("select x from s")
    plain.sql("drop table s")
    assert before.to_arrow().to_pydict() == {"x": [1]}
    assert after.to_arrow().to_pydict() == {"x": [2]}
    assert plain.tables() == ["p", "t"]


def test_names_of_several_parts(plain: AnySession) -> None:
    plain.register("sch.tab", {"x": [1]})
    plain.register('other.sch."a.b"', {"x": [2]})
    plain.register('"c.d"', {"x": [3]})
    plain.register("with blank-s", {"x": [4]})
    assert rows(plain, "from sch.tab") == rows(plain, "from memory.sch.tab") == [(1,)]
    assert rows(plain, 'from other.sch."a.b"') == [(2,)]
    assert rows(plain, 'from "c.d"') == [(3,)]
    assert rows(plain, 'from "with blank-s"') == [(4,)]
    assert plain.tables() == ['"c.d"', "p", "t", "with blank-s", "memory.sch.tab", 'other.sch."a.b"']
    plain.register("sch.tab", {"x": [5]})
    assert rows(plain, "from sch.tab") == [(5,)]
    plain.sql("drop table sch.tab")
    with pytest.raises(InvalidQuery, match="no table"):
        plain.sql("from sch.tab")
    for wrong in ("", ".", "a.", ".a", "a..b", "a.b.c.d", '"a', 'a"b"'):
        with pytest.raises(InvalidQuery, match="is not a table name"):
            plain.register(wrong, {"x": [1]})


def test_a_table_whose_files_are_gone_can_be_dropped(plain: AnySession, tmp_path: Path) -> None:
    pq.write_table(SMALL, tmp_path / "a.parquet")
    plain.register("a", tmp_path / "a.parquet")
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(InvalidInput, match="does not exist"):
        plain.sql("from a")
    with pytest.raises(InvalidQuery, match="is a table"):
        plain.sql("drop view a")
    plain.sql("drop table a")
    assert "a" not in plain.tables()


def test_create_table_as_and_drop(session: AnySession) -> None:
    assert session.sql("create table top as select k, max(v) as m from t group by k").to_arrow().num_columns == 0
    assert rows(session, "select m from top where k = 3") == [(999_993,)]
    assert session.tables() == ["p", "t", "top"]
    with pytest.raises(InvalidQuery, match="already"):
        session.sql("create table top as select 1 as x")
    session.sql("create table if not exists top as select 1 as x")
    session.sql("create or replace table top as select 7 as x")
    assert rows(session, "from top") == [(7,)]
    session.sql("drop table top")
    session.sql("drop table if exists top")
    with pytest.raises(InvalidQuery, match="top"):
        session.sql("drop table top")


def test_views(session: AnySession) -> None:
    session.sql("create view evens as select v from t where v % 2 = 0")
    assert rows(session, "select count(*) from evens") == [(500_000,)]
    session.sql("create or replace view evens as select k from p")
    assert rows(session, "select count(*) from evens") == [(5,)]
    with pytest.raises(InvalidQuery, match="is a view") as caught:
        session.sql("drop table evens")
    assert caught.value.hint == "write DROP VIEW"
    session.sql("drop view evens")
    assert session.tables() == ["p", "t"]


@pytest.mark.parametrize(
    ("text", "params"), [("k = :key", {"key": 2}), ("k = $1", [2]), ("k = ?", [2])], ids=["named", "numbered", "in turn"]
)
def test_parameters(session: AnySession, text: str, params: object) -> None:
    assert rows(session, f"select name from p where {text} order by name", params=params) == [("deux",), ("two",)]


def test_another_dialect(session: AnySession) -> None:
    assert rows(session, "SELECT `name` FROM p WHERE k = 1", dialect="mysql") == [("one",)]


def test_a_plan_file(session: AnySession, tmp_path: Path) -> None:
    pq.write_table(SMALL, tmp_path / "small.parquet")
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "inputs:\n  small: {parquet: small.parquet, file: local}\nparams: {least: 2}\n"
        "steps:\n  big: {from: small, where: x >= :least, order_by: [x]}\n"
    )
    assert session.run_plan(plan).to_arrow().to_pydict() == {"x": [2, 3]}
    assert session.run_plan(str(plan), params={"least": 3}).to_arrow().to_pydict() == {"x": [3]}


@pytest.mark.parametrize("kind", ["parquet", "csv", "json", "arrow"])
def test_a_plan_that_writes(session: AnySession, tmp_path: Path, kind: str) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "inputs:\n  t: {table: t}\nsteps:\n  s: {sql: 'select k, v from t where v < 1000'}\n"
        f"write: {{{kind}: out/, to: client}}\n"
    )
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f"part-00009.{kind}").write_text("of an earlier run")
    (folder / "notes.txt").write_text("the user's")
    written = session.run_plan(plan).to_arrow().to_pydict()
    assert written["rows"] == [1000]
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", f"part-00000.{kind}"]
    assert rows(session, f"select count(*), sum(v) from '{written['file'][0]}'") == [(1000, 499_500)]


def test_a_plan_that_writes_one_file_leaves_nothing_when_it_fails(session: AnySession, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "inputs:\n  p: {table: p}\nsteps:\n  s: {sql: 'select cast(name as integer) from p'}\n"
        "write: {parquet: o.parquet, to: client}\n"
    )
    with pytest.raises(flightmesh.FlightmeshError):
        session.run_plan(plan)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.yaml"]


@pytest.mark.parametrize("level", ["logical", "optimized", "physical", "stages", "analyze"])
def test_every_level_of_explaining(session: AnySession, level: str) -> None:
    text = session.explain("select k, count(*) from t where v > 5 group by k order by k", level=level)
    assert "Scan t" in text
    if level in ("stages", "analyze"):
        assert text.count("Stage 0") == (1 if level == "stages" else 2)
    with pytest.raises(InvalidQuery, match="no level 'deep'"):
        session.explain("select 1", level="deep")


def test_analyze_says_what_happened(session: AnySession) -> None:
    text = session.explain("select k, count(*) as n from t where v >= 500000 group by k order by k", level="analyze")
    assert text.splitlines()[0].startswith("10 rows in ")
    scan = next(line for line in text.splitlines() if "Scan t" in line)
    assert "[rows 500,000 (estimate" in scan
    assert "rows read 1,000,000" in scan
    for figure in ("cpu ", "wait "):
        assert figure in scan
    assert re.search(r"splits [89]\b", scan), "uploaded in parts, its rows are cut a little otherwise"
    assert "edge 0: " in text


def test_explain_statements(session: AnySession) -> None:
    plain_text = session.sql("explain select k from t").to_arrow()
    assert plain_text.column_names == ["plan"]
    assert "Scan t" in "\n".join(plain_text["plan"].to_pylist())
    analyzed = session.sql("explain analyze select k from t").to_arrow()["plan"].to_pylist()
    assert analyzed[0].startswith("1,000,000 rows in ")


def test_a_closed_session_refuses(plain: AnySession) -> None:
    result = plain.sql("select 1")
    plain.close()
    plain.close()
    for use in (lambda: plain.sql("select 1"), lambda: plain.register("x", SMALL), result.to_arrow):
        with pytest.raises(Cancelled, match="closed"):
            use()
    assert "closed" in repr(plain)


def test_threads_end_with_the_session() -> None:
    before = set(threading.enumerate())
    with connect(threads=3) as session:
        session.register("s", SMALL)
        assert len(session.sql("select * from s a, s b")) == 9
        assert set(threading.enumerate()) != before
    assert set(threading.enumerate()) == before


def test_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("threads: 3\nmemory: 1GiB\n")
    with connect(config=path) as session:
        assert (session.config.threads, session.config.memory) == (3, 1 << 30)
    with connect(threads=1, memory="512MB", config=str(path)) as session:
        assert (session.config.threads, session.config.memory) == (1, 512_000_000)
        assert session.runtime.budget.limit == 512_000_000
    with connect(config=Config(threads=2)) as session:
        assert session.runtime.budget.limit > 1 << 20


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"threads": 0}, "threads must be a whole number of at least 1, not 0"),
        ({"threads": "x"}, "threads must be a whole number of at least 1, not 'x'"),
        ({"threads": 1.5}, "threads must be"),
        ({"threads": True}, "threads must be"),
        ({"config": Config(threads=0)}, "threads must be"),
        ({"memory": "lots"}, "not a size: 'lots'"),
        ({"memory": 0}, "at least 1 byte"),
        ({"memory": 1.5}, "memory is a number of bytes"),
        ({"config": 5}, "config is a Config"),
        ({"config": Config(node=NodeConfig(driver="a:1"))}, "opened by its address"),
    ],
)
def test_wrong_configuration(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfig, match=message):
        connect(**wrong)  # type: ignore[call-overload]


def test_past_the_memory_budget(tmp_path: Path) -> None:
    with connect(threads=2, memory="8MiB") as session:
        session.register("big", pa.table({"v": pa.array(range(2_000_000))}))
        with pytest.raises(ResourceExhausted) as caught:
            session.sql("select v from big order by v desc").to_arrow()
        assert "budget of 8.0 MiB" in caught.value.message
        assert caught.value.hint is not None
        assert rows(session, "select count(*) from big") == [(2_000_000,)]


def test_a_gathered_result_counts_against_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    big = pa.table({"v": pa.array(range(2_000_000))})
    taken = 0
    with connect(threads=2, memory="64MiB") as session:
        session.register("big", big)
        take = MemoryBudget.take

        def count(budget: MemoryBudget, job: JobId, purpose: str, size: int, *hint: str) -> None:
            nonlocal taken
            taken += size if purpose == RESULT else 0
            take(budget, job, purpose, size, *hint)

        monkeypatch.setattr(MemoryBudget, "take", count)
        assert session.sql("select v from big").to_arrow().num_rows == 2_000_000
        assert taken == big.nbytes
        assert sum(batch.num_rows for batch in session.sql("select v from big")) == 2_000_000
        assert taken == big.nbytes, "what is streamed is held by nobody"
        assert session.runtime.budget.accounts() == {}
    with connect(threads=2, memory="8MiB") as session:
        session.register("big", big)
        result = session.sql("select v from big")
        # Whether the result or the rows on their way to it ask for the byte too much is a matter of time.
        with pytest.raises(ResourceExhausted, match="out of memory"):
            result.to_arrow()
        # Its other tasks end when they hear of it.
        wait_until(lambda: session.runtime.budget.accounts() == {}, 30, "the failed job to leave nothing")
        assert len(session.sql("select v from big where v < 500000")) == 500_000
        wait_until(lambda: session.runtime.budget.used == 0, 30, "what is complete to be the caller's")


def bytes_of_tables(session: Session) -> int:
    """What tables in memory are accounted with; a query that runs at the time has accounts of its own."""
    return session.runtime.budget.accounts().get((NO_JOB, TABLES), 0)


def test_created_tables_count_against_the_budget_while_they_live() -> None:
    with connect(threads=2, memory="8MiB") as session:
        session.register("small", pa.table({"v": pa.array(range(300_000))}))
        session.sql("create table a as select v from small")
        assert bytes_of_tables(session) == 2_400_000
        session.sql("create table b as select v from small")
        with pytest.raises(ResourceExhausted) as caught:
            session.sql("create table c as select v from small union all select v from small")
        assert "tables in memory 4.6 MiB" in caught.value.message
        assert "c" not in session.tables()
        reader = session.sql("select sum(v) from b")
        session.sql("drop table b")
        assert bytes_of_tables(session) == 4_800_000, "a result may still read it"
        assert reader.to_arrow().num_rows == 1
        del reader
        gc.collect()
        assert bytes_of_tables(session) == 2_400_000
        session.sql("create or replace table a as select 1 as v")
        assert bytes_of_tables(session) == 4
        session.drop("a")
        assert bytes_of_tables(session) == 0
        session.sql("create table c as select v from small")


def test_importing_the_package_is_cheap() -> None:
    check = "import sys, flightmesh; print([m for m in ('pyarrow', 'sqlglot', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    assert flightmesh.connect is connect
    with pytest.raises(AttributeError, match="nothing_such"):
        flightmesh.nothing_such  # noqa: B018


def test_threads_of_a_session_that_was_dropped_end() -> None:
    before = set(threading.enumerate())
    assert connect(threads=2).sql("select 1 as x").to_arrow().to_pydict() == {"x": [1]}
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) == before


def test_a_bug_while_planning_is_an_internal_error(embedded: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise KeyError("c7")

    monkeypatch.setattr("flightmesh.session.workspace.plan_query", wrong)
    with pytest.raises(InternalError, match="KeyError: 'c7'") as caught:
        embedded.sql("select 1")
    assert "report it" in str(caught.value)


def test_a_query_nested_too_deeply_is_refused(plain: AnySession) -> None:
    with pytest.raises(InvalidQuery):
        plain.sql("select " + "(" * 5000 + "1" + ")" * 5000)
    assert rows(plain, "select 1") == [(1,)]

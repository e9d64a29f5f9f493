"""A statement that comes again goes on with the plan that is kept, as long as nothing that planning looks at has changed."""

from __future__ import annotations

import datetime as dt
import gc
import os
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.config import Config, PlannerConfig
from flightmesh.errors import FlightmeshError, InternalError, InvalidInput, InvalidQuery
from flightmesh.expression.functions import dates
from flightmesh.expression.registry import find_function
from flightmesh.session import Session, connect, plan_cache
from flightmesh.session.profile import figures_of
from tests.session.conftest import AnySession
from tests.session.kept_plans import ask, rows, rows_again


@pytest.fixture
def session() -> Iterator[Session]:
    with connect(threads=2) as opened:
        yield opened


def write(path: Path, *values: int) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"x": values}), path)


def test_the_same_statement_goes_on_with_its_plan(plain: AnySession) -> None:
    query = "select name, count(*) as n from p join t on p.k = t.k where v < 100 group by name order by name"
    assert rows(plain, query) == rows_again(plain, query) == rows_again(plain, query)
    assert rows(plain, query + " ") == rows_again(plain, query), "another text is another statement"


def test_another_dialect_is_another_statement(plain: AnySession) -> None:
    assert ask(plain, "select 7 / 2 as x", dialect="duckdb") == ([(3.5,)], False)
    assert ask(plain, "select 7 / 2 as x", dialect="postgres") == ([(3,)], False)
    assert ask(plain, "select 7 / 2 as x", dialect="duckdb") == ([(3.5,)], True)


VALUES = [
    True, 1, 1.0, Decimal(1), Decimal("1.0"), "1", b"1", 0, False, 0.0, -0.0, 1 << 40, None, float("nan"),
    dt.date(2020, 1, 1), dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.time(1), dt.timedelta(1),
    pa.scalar(1, pa.int8()), pa.scalar(1, pa.int64()), pa.scalar(1.0, pa.float32()), pa.scalar("1"), pa.scalar(None, pa.int8()),
    pa.scalar(0.0), pa.scalar(-0.0), pa.scalar(dt.datetime(2020, 1, 1), pa.timestamp("ns")), pa.scalar(True),
]  # fmt: skip


def test_values_of_parameters_keep_their_types(session: Session) -> None:
    """Each is computed with as if it were the first, whatever plans are there already."""

    def computed(value: Any) -> tuple[str, str]:
        table = session.sql("select ? as x", params=[value]).to_arrow()
        return str(table.schema), repr(table.column(0)[0])

    def alone(value: Any) -> tuple[str, str]:
        with connect(threads=1) as fresh:
            table = fresh.sql("select ? as x", params=[value]).to_arrow()
        return str(table.schema), repr(table.column(0)[0])

    expected = [alone(value) for value in VALUES]
    for _ in range(2):
        assert [computed(value) for value in VALUES] == expected
    assert ask(session, "select ? as x", params=[1])[1]
    assert ask(session, "select :a - :b as x", params={"a": 1, "b": 2}) == ([(-1,)], False)
    assert ask(session, "select :a - :b as x", params={"a": 2, "b": 1}) == ([(1,)], False)
    assert ask(session, "select :a - :b as x", params={"a": 1, "b": 2}) == ([(-1,)], True)


def test_bad_parameters_are_refused_each_time(session: Session) -> None:
    ask(session, "select ? as x", params=[1])
    for params in ([], [1, 2], {"y": 1}, [object()], "1", [[1]]):
        with pytest.raises(InvalidQuery) as first:
            session.sql("select ? as x", params=params)
        with pytest.raises(InvalidQuery) as second:
            session.sql("select ? as x", params=params)
        assert (str(first.value), first.value.hint) == (str(second.value), second.value.hint)


@pytest.mark.parametrize(
    "text", ["select nothing from p", "select * from nothing", "selec 1", "", "select * from 'no.parquet'"]
)
def test_mistakes_are_told_each_time(plain: AnySession, text: str) -> None:
    told = []
    for _ in range(2):
        with pytest.raises(FlightmeshError) as caught:
            plain.sql(text)
        told.append((str(caught.value), caught.value.hint, caught.value.position))
    assert told[0] == told[1]


def test_mistakes_in_rows_have_their_place_each_time(session: Session) -> None:
    session.register("m", pa.table({"x": [1, 1 << 62]}))
    told = []
    for _ in range(2):
        with pytest.raises(FlightmeshError) as caught:
            session.sql("select\n  x * 4 as y from m").to_arrow()
        told.append((str(caught.value), caught.value.position))
    assert told[0] == told[1]


def test_a_statement_is_a_text(session: Session) -> None:
    for text in (["select 1"], None, 1, b"select 1"):
        with pytest.raises(InvalidQuery, match="a statement is text"):
            session.sql(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "form", ["registered file", "registered folder", "registered glob", "file", "folder", "glob", "reader"]
)
def test_changed_files_are_seen(session: Session, tmp_path: Path, form: str) -> None:
    write(tmp_path / "d" / "a.parquet", 1, 2)
    place = {"file": "d/a.parquet", "folder": "d", "glob": "d/*.parquet", "reader": "d/*.parquet"}[form.split()[-1]]
    if form.startswith("registered"):
        session.register("r", tmp_path / place)
    source = "r" if form.startswith("registered") else f"'{tmp_path / place}'"
    query = f"select sum(x) as s from {f'read_parquet({source})' if form == 'reader' else source}"
    assert rows(session, query) == rows_again(session, query) == [(3,)]
    write(tmp_path / "d" / "a.parquet", 5, 6)
    assert rows(session, query) == rows_again(session, query) == [(11,)]
    os.utime(tmp_path / "d" / "a.parquet", ns=(1, 1))
    assert rows(session, query) == rows_again(session, query) == [(11,)], "it may hold anything"
    write(tmp_path / "d" / "b.parquet", 100)
    more = [(11,)] if form.endswith("file") else [(111,)]
    assert ask(session, query) == (more, form.endswith("file"))
    (tmp_path / "d" / "a.parquet").unlink()
    if form.endswith("file"):
        with pytest.raises(InvalidInput, match=r"a\.parquet"):
            session.sql(query)
    else:
        assert rows(session, query) == rows_again(session, query) == [(100,)]
        (tmp_path / "d" / "b.parquet").unlink()
        with pytest.raises(InvalidInput):
            session.sql(query)


def test_a_file_that_comes_back_has_other_columns(session: Session, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", 1)
    query = f"select * from '{tmp_path}/a.parquet'"
    rows(session, query)
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(InvalidInput):
        session.sql(query)
    pq.write_table(pa.table({"y": ["a"], "z": [1.5]}), tmp_path / "a.parquet")
    assert session.sql(query).schema.names == ["y", "z"]
    assert rows_again(session, query) == [("a", 1.5)]


def test_relative_paths_mean_where_one_is(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("one", "two")):
        write(tmp_path / name / "a.parquet", number)
    query = "select x from 'a.parquet'"
    monkeypatch.chdir(tmp_path / "one")
    assert rows(session, query) == rows_again(session, query) == [(0,)]
    monkeypatch.chdir(tmp_path / "two")
    assert rows(session, query) == rows_again(session, query) == [(1,)]


def test_the_options_of_files_are_kept_apart(session: Session, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x;y,z\n1;2,3\n")
    first, second = (f"select * from read_csv('{tmp_path}/a.csv', delim = '{mark}')" for mark in ";,")
    assert rows(session, first) == rows_again(session, first) == [(1, "2,3")]
    assert rows(session, second) == rows_again(session, second) == [("1;2", 3)]
    (tmp_path / "a.csv").write_text("x;y\n2.5;4\n")
    assert rows(session, first) == rows_again(session, first) == [(2.5, 4)]


def test_names_mean_what_they_mean_now(plain: AnySession) -> None:
    plain.register("n", pa.table({"x": [1]}))
    query = "select * from n"
    assert rows(plain, query) == rows_again(plain, query) == [(1,)]
    plain.register("n", pa.table({"x": [2]}))
    assert rows(plain, query) == rows_again(plain, query) == [(2,)]
    plain.register("n", pa.table({"y": ["a"]}))
    assert plain.sql(query).schema == pa.schema([("y", pa.string())])
    assert rows_again(plain, query) == [("a",)]
    plain.drop("n")
    with pytest.raises(InvalidQuery, match="no table or view is named 'n'"):
        plain.sql(query)
    plain.sql("create view n as select 3 as x")
    assert rows(plain, query) == rows_again(plain, query) == [(3,)]


def test_views_mean_what_they_mean_now(plain: AnySession) -> None:
    plain.register("n", pa.table({"x": [1, 2]}))
    plain.sql("create view inner_view as select x + 1 as x from n")
    plain.sql("create view outer_view as select x * 10 as x from inner_view")
    query = "select sum(x) as s from outer_view"
    assert rows(plain, query) == rows_again(plain, query) == [(50,)]
    plain.register("n", pa.table({"x": [5]}))
    assert rows(plain, query) == rows_again(plain, query) == [(60,)]
    plain.sql("create or replace view inner_view as select x from n")
    assert rows(plain, query) == rows_again(plain, query) == [(50,)]
    plain.sql("create or replace view inner_view as select x from n")
    assert rows_again(plain, query) == [(50,)], "the same view as before"
    plain.sql("drop view inner_view")
    with pytest.raises(InvalidQuery, match="inner_view"):
        plain.sql(query)


def test_a_table_hides_the_files_that_its_name_is_a_path_of(session: Session, tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", 1)
    query = f"select x from '{tmp_path}/a.parquet'"
    assert rows(session, query) == rows_again(session, query) == [(1,)]
    session.catalog.register(f"{tmp_path}/a.parquet", session._engine.find_data("m", {"x": [7]}))
    assert rows(session, query) == rows_again(session, query) == [(7,)]
    session.catalog.drop(f"{tmp_path}/a.parquet")
    assert rows(session, query) == [(1,)]


CLOCKS = sorted(set(dates.NOW) | {alias for name in dates.NOW if (f := find_function(name)) for alias in f.aliases})


@pytest.mark.parametrize("name", [*CLOCKS, "get_current_time"])
def test_the_clock_is_read_each_time(session: Session, name: str) -> None:
    forms = [f"{name}()"] if name != "current_timestamp" else [f"{name}()", name]
    for form in forms:
        first, second = (ask(session, f"select cast({form} as varchar) as x") for _ in range(2))
        assert not first[1] and not second[1]
        assert first[0] != second[0] or "date" in name or name == "today"
    session.sql(f"create view clock as select {name}() as x")
    query = "select count(*) as n from (select x from clock where x is not null) as c"
    assert rows(session, query) == rows(session, query) == [(1,)]


def test_all_readings_of_the_clock_are_one(session: Session) -> None:
    query = (
        "select now() = get_current_timestamp(), current_localtimestamp() = localtimestamp, current_localtime() = current_time"
    )
    assert rows(session, query) == [(True, True, True)]


def test_random_numbers_are_drawn_each_time(plain: AnySession) -> None:
    query = "select random() as x from p"
    assert rows(plain, query) != rows_again(plain, query)


def test_what_changes_names_is_done_each_time(plain: AnySession) -> None:
    plain.register("n", pa.table({"x": [1]}))
    create, read = "create or replace table made as select x + 1 as x from n", "select x from made"
    plain.sql(create)
    assert rows(plain, read) == rows_again(plain, read) == [(2,)]
    plain.register("n", pa.table({"x": [10]}))
    plain.sql(create)
    assert rows(plain, read) == rows_again(plain, read) == [(11,)]
    plain.sql("drop table made")
    with pytest.raises(InvalidQuery, match="made"):
        plain.sql(read)
    with pytest.raises(InvalidQuery, match="made"):
        plain.sql("drop table made")
    plain.sql("create table made as select 1 as x")
    with pytest.raises(InvalidQuery, match="already"):
        plain.sql("create table made as select 1 as x")


def test_explain_says_that_the_plan_was_kept(plain: AnySession) -> None:
    query = "select count(*) as n from p"
    for text in (f"explain analyze {query}", f"  explain   analyze {query}"):
        first, second = (plain.sql(text).to_arrow().column("plan").to_pylist() for _ in range(2))
        assert "; planned in " in first[0] and "; plan kept, found in " in second[0]
    assert "; planned in " in plain.explain(query, "analyze")
    assert "; plan kept, found in " in plain.explain(query, "analyze")
    for level in ("logical", "optimized", "physical", "stages"):
        assert plain.explain(query, level) == plain.explain(f"explain {query}", level)
    assert rows_again(plain, query) == [(5,)]


def test_a_profile_says_so_too(session: Session) -> None:
    for kept in (False, True):
        result = session.sql("select 1 as x")
        result.to_arrow()
        assert result.metrics is not None
        figures = figures_of(result.metrics)
        assert figures["plan_kept"] is kept
        assert figures["planning_seconds"] > 0


def test_other_settings_are_planned_for_anew(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.register("n", pa.table({"x": range(1000)}))
    query = "select x % 7 as k, count(*) as n from n group by k order by k"
    first = rows(session, query)
    monkeypatch.setattr(session._workspace, "_partitions", 3)
    assert rows(session, query) == rows_again(session, query) == first
    assert max(stage.tasks for stage in session._workspace.statement(query).plan.graph.stages) == 3  # type: ignore[union-attr]


def test_threads_may_ask_at_once(session: Session) -> None:
    session.register("n", pa.table({"x": range(100_000)}))
    query = "select x % 10 as k, sum(x) as s from n where x > ? group by k order by k"
    expected = [ask(session, query, params=[number])[0] for number in range(3)]
    found: list[tuple[int, Any]] = []

    def work(number: int) -> None:
        found.extend((number % 3, ask(session, query, params=[number % 3])) for _ in range(5))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 30
    assert all(answer == (expected[number], True) for number, answer in found)


def test_one_plan_may_run_several_times_at_once(session: Session) -> None:
    session.register("n", pa.table({"x": range(300_000)}))
    query = "with w as (select x % 1000 as k, sum(x) as s from n group by k) select count(*) from w a join w b using (k)"
    expected = rows(session, query)
    readers = [iter(session.sql(query)) for _ in range(4)]
    batches = [next(reader) for reader in readers]
    assert [[tuple(row.values()) for row in batch.to_pylist()] for batch in batches] == [expected] * 4
    assert all(list(reader) == [] for reader in readers)


def test_a_kept_plan_keeps_no_table(session: Session) -> None:
    session.register("n", pa.table({"x": [1]}))
    entry: Any = session.catalog.lookup("n")
    assert rows(session, "select x from n") == rows_again(session, "select x from n")
    gc.collect()
    session.drop("n")
    with pytest.raises(InternalError):
        session._engine._tables.get(entry.key)


def test_plans_take_so_many_bytes_at_most() -> None:
    with connect(config=Config(threads=1, planner=PlannerConfig(plan_cache=60_000))) as session:
        plans = session._engine.plans
        for number in range(50):
            rows(session, f"select {number} as x")
            assert 0 < plans.bytes <= 60_000
        assert 1 < len(plans) < 50
        assert ask(session, "select 49 as x")[1]
        assert not ask(session, "select 0 as x")[1], "the one that was used longest ago has gone"
        before = len(plans)
        rows(session, f"select '{'x' * 60_000}' as x")
        assert len(plans) == before, "one that is too large is not kept, and none goes for it"


def test_plans_are_so_many_at_most(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_cache, "MOST_PLANS", 3)
    for number in (1, 2, 3, 1, 4):
        ask(session, f"select {number} as x")
    assert len(session._engine.plans) == 3
    assert [ask(session, f"select {number} as x")[1] for number in (1, 3, 4, 2)] == [True, True, True, False]


def test_none_are_kept_where_nobody_wants_it() -> None:
    with connect(config=Config(threads=1, planner=PlannerConfig(plan_cache=0))) as session:
        assert rows(session, "select 1 as x") == rows(session, "select 1 as x")
        assert (len(session._engine.plans), session._engine.plans.bytes) == (0, 0)

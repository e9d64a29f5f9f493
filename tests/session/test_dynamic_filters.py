"""Dynamic filters: the answer is DuckDB's with them and without; what they spare is counted by each of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.config import Config, PlannerConfig
from flightmesh.physical import dynamic_filters
from tests.compare import Order, assert_same, duckdb_answer
from tests.meshes import AT_MESHES, Meshes, session_at
from tests.session.counting import counted

ROWS, GROUP = 60_000, 5_000
DAYS, ITEMS = 200, 500
CASES = 8
"""Of each query, with other constants."""

QUERIES = [
    "select count(*), sum(amount) from sales join days on day = d_day where d_week = {week}",
    "select item, count(*) n from sales join days on day = d_day join items on item = i_item"
    " where d_week between {week} and {week} + 1 and i_class = '{letter}' group by item",
    "select count(*) from sales join items on label = i_label where i_class = '{letter}' and i_item < {item}",
    "select count(*), min(sold) from sales join days on sold = d_date where d_week = {week}",
    "select d_week, count(*) from sales, days, items where day = d_day and item = i_item and i_item = {item} group by d_week",
    "select count(*) from sales where day in (select d_day from days where d_week = {week})",
    "select count(*) from sales where day not in (select d_day from days where d_week = {week})",
    "select count(*), count(d_day) from sales left join days on day = d_day and d_week = {week}",
    "select count(*), count(item) from sales right join (select * from days where d_week = {week}) on day = d_day",
    "select count(*), count(item) from sales full join (select * from days where d_week = {week}) on day = d_day",
    "select count(*) from sales join days on day is not distinct from d_day where d_week = {week}",
    "select d_day, total from (select day, sum(amount) total from sales group by day) join days on day = d_day"
    " where d_week = {week}",
    "select count(*), sum(v) from (select day x, amount v from sales union all select item, amount from sales)"
    " join days on x = d_day where d_week = {week}",
    "select count(*) from (select * from sales order by amount, day, item limit 1000) join days on day = d_day"
    " where d_week <= {week}",
    "select d_day, n from (select day, amount, rank() over (partition by day order by amount desc, item) n from sales)"
    " join days on day = d_day where d_week = {week} and n <= 2",
    "select count(*) from sales a left join items on a.item = i_item join days on a.day = d_day where d_week = {week}",
    "select count(*), count(i_item) from sales a left join items on a.item = i_item and i_class = '{letter}'"
    " join (select i_item k from items where i_item < {item} % 40) on a.item = k",
    "select count(*) from sales a join days on a.day = d_day and a.amount > d_week where d_week = {week}",
    "select count(*) from sales a join days x on a.day = x.d_day join days y on x.d_day = y.d_day where y.d_week = {week}",
    "select count(*) from sales a join items on a.item + 1 = i_item where i_item < {item} % 30",
    "with s as (select day, item, amount from sales where amount > 10)"
    " select (select count(*) from s join days on day = d_day where d_week = {week}) a, (select count(*) from s) b",
    "select count(*) from sales join days on day = d_day where d_week = -1",
    "with recursive r(x, n) as (select d_day, 0 from days where d_week = {week} union all"
    " select day + 7, n + 1 from (select distinct day from sales) s join r on day = x where n < 3)"
    " select n, count(*), min(x) from r group by n",
    "select i_class, (select max(amount) from sales where item = i_item) most from items where i_item < {item} % 20",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`sales` in row groups, its days ascending and nearly so its labels; `days` and `items` to join with."""
    made = tmp_path_factory.mktemp("dynamic")
    generator = np.random.default_rng(5)
    days = np.sort(generator.integers(-5, DAYS + 5, ROWS))
    sales = pa.table(
        {
            "day": pa.array(days, mask=generator.random(ROWS) < 0.02),
            "sold": pa.array(days.astype(np.int32)).cast(pa.date32()),
            "item": pa.array(generator.integers(0, ITEMS, ROWS).astype(np.int32), mask=generator.random(ROWS) < 0.02),
            "label": pa.array([f"item-{n}" for n in generator.integers(0, ITEMS, ROWS)]),
            "amount": pa.array(generator.integers(0, 1000, ROWS)),
        }
    )
    numbers = np.arange(DAYS)
    day_table = pa.table(
        {
            "d_day": pa.array([*numbers, None], pa.int64()),
            "d_date": pa.array([*numbers, None], pa.int32()).cast(pa.date32()),
            "d_week": pa.array([*(numbers // 7), 3]),
        }
    )
    items = pa.table(
        {
            "i_item": pa.array(np.arange(ITEMS).astype(np.int32)),
            "i_label": pa.array([f"item-{n}" for n in range(ITEMS)]),
            "i_class": pa.array(["abcdefgh"[n % 8] for n in range(ITEMS)]),
        }
    )
    for name, table in {"sales": sales, "days": day_table, "items": items}.items():
        pq.write_table(table, made / f"{name}.parquet", row_group_size=GROUP)
    return made


@pytest.fixture(scope="module")
def duck(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        # It filters below ORDER BY with LIMIT, too, and so keeps other rows (DuckDB 1.5.5; right without it).
        connection.execute("set disabled_optimizers = 'join_filter_pushdown'")
        for path in folder.iterdir():
            connection.execute(f"create view {path.stem} as select * from read_parquet('{path}')")
        yield connection


def registered(session: Any, folder: Path) -> Any:
    for path in folder.iterdir():
        session.register(path.stem, str(path))
    return session


def constants(text: str, seed: int) -> str:
    chosen = random.Random(seed)
    return text.format(week=chosen.randrange(DAYS // 7 + 1), item=chosen.randrange(ITEMS), letter=chosen.choice("abcdefgh"))


def check(session: Any, duck: duckdb.DuckDBPyConnection, text: str) -> None:
    assert_same(session.sql(text).to_arrow(), duckdb_answer(duck, text), Order.FREE)


@pytest.fixture(scope="module", params=[(1, True), (2, True), (7, True), (7, False), (2, False)], ids=str)
def session(request: pytest.FixtureRequest, folder: Path) -> Iterator[flightmesh.Session]:
    """Of so many partitions, joins sharing their builds or not."""
    partitions, shared = request.param
    planner = PlannerConfig(share_builds=shared, broadcast_bytes=1000)
    config = Config(threads=2, partitions=partitions, encode_messages=True, morsel_rows=4096, planner=planner)
    with flightmesh.connect(config=config) as opened:
        yield registered(opened, folder)


@pytest.mark.parametrize("text", QUERIES)
def test_answers_are_duckdbs(session: flightmesh.Session, duck: duckdb.DuckDBPyConnection, text: str) -> None:
    """Each session has half of the constants; each constant several sessions."""
    config = session.config
    for seed in range((config.partitions + config.planner.share_builds) % 2, CASES, 2):
        check(session, duck, constants(text, seed))


@pytest.mark.parametrize("mode", AT_MESHES)
def test_answers_on_a_mesh(mode: str, meshes: Meshes, duck: duckdb.DuckDBPyConnection, folder: Path) -> None:
    with session_at(meshes.of(mode)) as remote:
        registered(remote, folder)
        for text in QUERIES:
            check(remote, duck, constants(text, 3))


def switched(folder: Path, dynamic: bool) -> flightmesh.Session:
    planner = PlannerConfig(dynamic_filters=dynamic)
    made: flightmesh.Session = registered(flightmesh.connect(config=Config(threads=2, planner=planner)), folder)
    return made


BY_DAY_AND_CLASS = (
    "select count(*) from sales join days on day = d_day join items on item = i_item where d_week = 4 and i_class = 'b'"
)


def test_row_groups_are_not_read_and_rows_are_dropped(folder: Path) -> None:
    with switched(folder, True) as on, switched(folder, False) as off:
        with_them, without = counted(on, BY_DAY_AND_CLASS), counted(off, BY_DAY_AND_CLASS)
        assert on.sql(BY_DAY_AND_CLASS).to_arrow() == off.sql(BY_DAY_AND_CLASS).to_arrow()
    assert without["row_groups"] == ROWS // GROUP + 2
    assert not any("pruned" in name for name in without)
    spared = sum(amount for name, amount in with_them.items() if name.startswith("row_groups_pruned_by_f"))
    assert spared == without["row_groups"] - with_them["row_groups"] >= 10
    rows = {name for name in with_them if name.startswith("rows_pruned_by_f")}
    assert len(rows) == 2, "both filters drop rows"


def test_the_plan_says_who_makes_them_and_who_applies_them(folder: Path) -> None:
    with switched(folder, True) as on, switched(folder, False) as off:
        text = on.explain(BY_DAY_AND_CLASS, "physical")
        assert "makes f0 in d_day" in text
        assert "makes f1 in i_item" in text
        scan = next(line for line in text.splitlines() if "Scan sales" in line)
        assert "keys of f0 in" in scan
        assert "keys of f1 in" in scan
        assert "keys of" not in off.explain(BY_DAY_AND_CLASS, "physical")


def test_a_filter_that_drops_little_is_given_up(folder: Path) -> None:
    with flightmesh.connect(threads=1) as session:
        few, many = pa.table({"x": range(1000)}), pa.table({"y": [0] * 500_000})
        session.register("few", few)
        session.register("many", many)
        totals = counted(session, "select count(*) from many join few on x = y where x * x < 10")
        assert totals["rows_read"] == 501_000
        assert not any("pruned" in name for name in totals)


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_keys_reach_scans_of_other_stages(
    folder: Path, duck: duckdb.DuckDBPyConnection, partitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides of each join are dealt. The scan is made to wait until the keys come."""
    monkeypatch.setattr(dynamic_filters, "LEAST_AWAITING_ROWS", 0)
    monkeypatch.setattr(dynamic_filters, "WAIT_SECONDS", 30.0)
    planner = PlannerConfig(share_builds=False, broadcast_bytes=1)
    config = Config(threads=2, partitions=partitions, planner=planner, encode_messages=True)
    with registered(flightmesh.connect(config=config), folder) as session:
        assert "hash(d_day#" in session.explain(BY_DAY_AND_CLASS, "stages")
        totals = counted(session, BY_DAY_AND_CLASS)
        assert sum(amount for name, amount in totals.items() if name.startswith("row_groups_pruned_by_f")) >= 10
        assert any(name.startswith("rows_pruned_by_f") for name in totals)
        check(session, duck, BY_DAY_AND_CLASS)


FAR = "select count(*), sum(a.k) from t a join t b on a.v = b.v where b.k = 3"


@pytest.mark.parametrize("mode", AT_MESHES)
def test_keys_reach_scans_at_other_workers(mode: str, meshes: Meshes) -> None:
    """A scan waits for them only a little, so it may come too early; not always."""
    with session_at(meshes.of(mode)) as remote:
        assert "makes f0 in v#" in remote.explain(FAR, "stages")
        assert remote.sql(FAR).to_arrow().to_pylist() == [{"count_star()": 100_000, "sum(a.k)": 300_000}]
        assert any("rows pruned by f0" in remote.explain(FAR, "analyze") for _ in range(50))

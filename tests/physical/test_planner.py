"""What the planner picks, and that every way of running a query gives DuckDB's answer."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config, PlannerConfig
from tests.compare import Order, assert_same

LEFT = pa.table(
    {
        "k": pa.array([1, 2, 2, 3, None, 5, 7, 7] * 3, pa.int64()),
        "g": ["a", "b", "a", None, "b", "c", "a", "a"] * 3,
        "v": pa.array([10, -4, 7, None, 2, 2, 9, 1] * 3, pa.int32()),
        "w": pa.array([1.5, None, -2.25, 0.0, 4.0, 1.5, 8.5, 0.25] * 3, pa.float64()),
    }
)
RIGHT = pa.table({"k": pa.array([2, 2, 3, 4, None, 7], pa.int64()), "name": ["x", "y", "z", "u", "n", None]})
EMPTY = RIGHT.slice(0, 0)
TABLES = {"l": LEFT, "r": RIGHT, "e": EMPTY}

SHARED = PlannerConfig()
DEALT = PlannerConfig(share_builds=False, broadcast_bytes=0)

QUERIES = [
    "select count(*), count(v), sum(v), avg(v), min(v), max(g) from l",
    "select g, count(*), sum(v), avg(w), min(w) from l group by g",
    "select count(*), sum(v), avg(v) from l where k > 100",
    "select g, count(*) from l where k > 100 group by g",
    "select distinct g, k from l",
    "select count(distinct v) from l",
    "select g, count(distinct v), sum(distinct v), avg(distinct v), count(*), sum(w) from l group by g",
    "select g, count(distinct v), count(distinct k), max(distinct w) from l group by g",
    "select g, count(*) filter (where v > 2), sum(v) filter (where k = 2), count(distinct k) filter (where v > 0)"
    " from l group by g",
    "select v + 1 as u, k % 2 as p, sum(w * 2) from l group by v + 1, k % 2",
    "select g, k, avg(v) from l group by g, k having sum(v) > 3",
    "select l.k, name, v from l join r on l.k = r.k",
    "select l.k, name, v from l left join r on l.k = r.k and v > 5",
    "select l.k, name, v from l right join r on l.k = r.k",
    "select l.k, r.k, name, v from l full join r on l.k = r.k and name <> 'x'",
    "select l.k, name from l join r on l.k < r.k and v > 0",
    "select l.k, r.k from l full join e r on l.k = r.k",
    "select count(*) from l, r",
    "select count(*) from l cross join e",
    "select k, v from l where k in (select k from r)",
    "select k, v from l where k not in (select k from r where k is not null)",
    "select k, v from l where k not in (select k from r)",
    "select k, v from l where k not in (select k from e)",
    "select k, k in (select k from r) as inside, exists (select 1 from r where r.k = l.k and name > 'x') as there from l",
    "select k, v from l where not exists (select 1 from r where r.k = l.k)",
    "select k, (select count(*) from r where r.k = l.k) as n, (select max(name) from r) as top from l",
    "select k from l union all select k from r",
    "select count(*) from (select 1 as one union all select k from l union all select count(*) from r)",
    "select k from l union select k from r",
    "select k from l intersect select k from r",
    "select k from l except select k from r",
    "select k from l intersect all select k from r",
    "select k from l except all select k from r",
    "with s as (select k, sum(v) as t from l group by k) select a.k, a.t, b.t from s a join s b on a.k = b.k where b.t > 3",
    "select a.k, b.v from l a join r on a.k = r.k join l b on b.k = r.k where b.v > 1",
    "select 1 as one, 'a' as b where false",
]
ORDERED = [
    "select k, v, w from l order by k nulls first, v desc, w",
    "select k, v, w from l order by v + k desc nulls last, w limit 5 offset 2",
    "select g, sum(v) as s from l group by g order by s desc, g limit 2",
    "select k from l order by k limit 0",
    "select v, w from l order by g, v, w, k",
    "select l.k, name from l join r on l.k = r.k order by 1, 2 offset 3",
]


@pytest.fixture(scope="module")
def reference() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for name, table in TABLES.items():
            connection.register(name, table)
        yield connection


@pytest.fixture(scope="module", params=[1, 2, 7])
def partitions(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module", params=[SHARED, DEALT], ids=["shared", "dealt"])
def session(request: pytest.FixtureRequest, partitions: int) -> Iterator[flightmesh.Session]:
    config = Config(threads=2, partitions=partitions, morsel_rows=5, planner=request.param, encode_messages=True)
    with flightmesh.connect(config=config) as made:
        for name, table in TABLES.items():
            made.register(name, table)
        yield made


@pytest.mark.parametrize("sql", QUERIES)
def test_every_way_gives_the_same_rows(session: flightmesh.Session, reference: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert_same(session.sql(sql).to_arrow(), reference.execute(sql).to_arrow_table(), Order.FREE)


@pytest.mark.parametrize("sql", ORDERED)
def test_every_way_gives_the_same_order(session: flightmesh.Session, reference: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert_same(session.sql(sql).to_arrow(), reference.execute(sql).to_arrow_table(), Order.COUNTS)


def plan_of(sql: str, planner: PlannerConfig) -> list[str]:
    with flightmesh.connect(config=Config(threads=2, partitions=2, planner=planner)) as made:
        for name, table in TABLES.items():
            made.register(name, table)
        return [line.strip().split(" [")[0] for line in made.explain(sql, level="physical").splitlines()]


def kinds(sql: str, planner: PlannerConfig = SHARED) -> list[str]:
    """The operators of a plan in pre-order, with what tells joins, groupings and exchanges apart."""
    named = []
    for line in plan_of(sql, planner):
        words = line.split()
        several = words[0] in ("GroupBy", "Exchange", "Join")
        named.append(" ".join(words[:3] if words[0] == "Join" else words[:2] if several else words[:1]))
    return named


def test_a_shared_build_leaves_the_probe_where_it_is() -> None:
    sql = "select v, name from l join r on l.k = r.k"
    assert kinds(sql).count("Exchange broadcast") == 1
    assert not [k for k in kinds(sql) if k.startswith("Exchange hash")]


def test_without_sharing_both_sides_of_a_large_join_are_dealt_by_the_key() -> None:
    sql = "select v, name from l join r on l.k = r.k"
    found = kinds(sql, DEALT)
    assert sum(k.startswith("Exchange hash") for k in found) == 2
    assert "Exchange broadcast" not in found


def test_a_small_build_is_broadcast_without_sharing() -> None:
    found = kinds("select v, name from l join r on l.k = r.k", PlannerConfig(share_builds=False))
    assert "Exchange broadcast" in found


def test_a_grouping_by_the_join_key_is_not_dealt_again() -> None:
    found = kinds("select l.k, count(name) from l join r on l.k = r.k group by l.k", DEALT)
    assert "GroupBy partial" not in found
    assert sum(k.startswith("Exchange hash") for k in found) == 2


def test_groupings_are_two_phase() -> None:
    found = kinds("select g, sum(v) from l group by g")
    assert [k for k in found if k.startswith(("GroupBy", "Exchange hash"))] == [
        "GroupBy final",
        "Exchange hash(g#1)",
        "GroupBy partial",
    ]


def test_an_average_shares_its_parts() -> None:
    lines = "\n".join(plan_of("select g, sum(v), avg(v), count(v) from l group by g", SHARED))
    assert lines.count(":= sum(v") == 1
    assert lines.count(":= count(v") == 1


def test_order_and_limit_are_a_top_k_in_every_task() -> None:
    found = kinds("select k from l order by v limit 3")
    assert "Top" in found
    assert "Sort" not in found


def test_a_relation_read_twice_is_one_stage() -> None:
    sql = "with s as (select g, sum(v) as t from l group by g) select count(*) from s a join s b on a.t > b.t"
    with flightmesh.connect(config=Config(threads=2, partitions=2)) as made:
        made.register("l", LEFT)
        text = made.explain(sql, level="stages")
    assert text.count("Scan l") == 1


BIG = pa.table({"k": pa.array(range(300_000), pa.int64()), "u": pa.array([i % 5 for i in range(300_000)], pa.int64())})
REDUCED = [
    "select k, v from l where k in (select k from big where u <> 3)",
    "select k, v from l where not exists (select 1 from big where big.k = l.k and big.u <> l.v)",
    "select l.k, v, u from l left join big on l.k = big.k and u > v - 10",
]


@pytest.mark.parametrize("sql", REDUCED)
@pytest.mark.parametrize("planner", [SHARED, DEALT], ids=["shared", "dealt"])
def test_a_large_build_is_first_reduced_to_the_keys_of_a_small_probe(
    reference: duckdb.DuckDBPyConnection, sql: str, planner: PlannerConfig
) -> None:
    reference.register("big", BIG)
    with flightmesh.connect(config=Config(threads=2, partitions=3, planner=planner)) as made:
        made.register("l", LEFT)
        made.register("big", BIG)
        text = made.explain(sql, level="stages")
        assert text.count("Scan l [") == 1
        assert "Join semi shared build" in text
        assert_same(made.sql(sql).to_arrow(), reference.execute(sql).to_arrow_table(), Order.FREE)

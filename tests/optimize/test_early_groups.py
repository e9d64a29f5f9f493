"""Groupings before joins: what is taken apart, what is not, and that the answer is DuckDB's, whatever the data."""

from __future__ import annotations

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.logical.relations import Aggregate, Join
from flightmesh.logical.traversal import walk
from flightmesh.logical.validate import validate
from flightmesh.optimize import early_groups
from flightmesh.optimize.rules import optimize
from tests.comparison import rows_of
from tests.optimize.binding import bound
from tests.optimize.building import STORED
from tests.optimize.checking import connection, optimized_step_by_step
from tests.optimize.random_relations import RandomQuery
from tests.running import run_relation

EARLY = (
    "select u.z, sum(t.x), count(*), count(t.s), min(t.s), max(t.x) from t join u on t.k = u.k group by u.z",
    "select t.s, sum(case when u.z = 'a' then t.x end) as a, sum(case when u.z = 'b' then t.x else 0 end) as b"
    " from t join u on t.k = u.k group by t.s",
    "select u.z, sum(t.x + 1), sum(t.x + 1) from t join u on t.k = u.k and t.x > u.y group by u.z",
    "select u.z, upper(t.s), sum(t.x) from u join t on t.k = u.k group by u.z, upper(t.s)",
    "select u.z, w, sum(t.x), count(*) from t join u on t.k = u.k join v on v.y = u.y group by u.z, w",
    "select u.z, sum(t.x) as s from t join u on t.k = u.k group by u.z having count(*) > 1",
    "select u.z, sum(e.y), count(e.y) from u join e on e.k = u.k group by u.z",
    "select u.z, sum(t.x), count(*), count(t.s) from t left join u on t.k = u.k group by u.z",
    "select t.k, t.s, count(u.y), sum(u.y), min(u.z), max(u.y) from t left join u on t.k = u.k and u.y > 1 group by t.k, t.s",
    "select t.k, upper(u.z), count(u.y) from t left join u on t.k = u.k and t.x > u.y group by t.k, upper(u.z)",
    "select count(u.y), t.s from u right join t on t.k = u.k group by t.s",
    "select t.k, count(*) from t left join u on t.k = u.k group by t.k",
)
LATE = (
    "select u.z, sum(t.x + u.y) from t join u on t.k = u.k group by u.z",
    "select u.z, sum(t.x), sum(u.y) from t join u on t.k = u.k group by u.z",
    "select u.z, count(distinct t.x) from t join u on t.k = u.k group by u.z",
    "select u.z, sum(t.x) filter (where t.x > 1) from t join u on t.k = u.k group by u.z",
    "select u.z, avg(t.x) from t join u on t.k = u.k group by u.z",
    "select t.k, sum(coalesce(u.y, 1)), count(coalesce(u.y, 1)) from t left join u on t.k = u.k group by t.k",
    "select t.k, sum(case when t.x > 1 then u.y else 0 end) from t left join u on t.k = u.k group by t.k",
    "select u.z, sum(t.x) from t full join u on t.k = u.k group by u.z",
    "select sum(t.x), count(*) from t join u on t.k = u.k",
    "select t.x + u.y as g, sum(t.x) from t join u on t.k = u.k group by g",
)


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups early however few rows there are."""
    monkeypatch.setattr(early_groups, "LEAST_ROWS", 0)
    monkeypatch.setattr(early_groups, "WORTHWHILE", float("inf"))


@pytest.mark.parametrize("sql", EARLY + LATE)
def test_answers_and_plans(sql: str) -> None:
    relation, context = bound(sql)
    optimized = optimize(relation, context)
    validate(optimized)
    joins = (node for node in walk(optimized) if isinstance(node, Join))
    early = any(isinstance(part, Aggregate) for join in joins for part in (join.left, join.right))
    assert early is (sql in EARLY)
    found = connection().execute(sql).arrow()
    expected = sorted(rows_of(found if hasattr(found, "column_names") else found.read_all()), key=repr)
    for partitions in (1, 2, 7):
        assert sorted(rows_of(run_relation(optimized, tables=STORED, partitions=partitions)), key=repr) == expected


@pytest.mark.parametrize("start", range(0, 40, 10))
def test_random_queries(start: int) -> None:
    for seed in range(start, start + 10):
        query = RandomQuery(seed)
        optimized_step_by_step(query.aggregate(4, ()), connection(), 100_000)


@pytest.mark.parametrize("argument", ["cast(t as int)", "case when b.k = 1 then cast(t as int) else 0 end"])
def test_what_rows_without_a_partner_make_fail_is_not_computed_of_them(argument: str) -> None:
    many = pa.table({"k": [1, 2, 3] * 4, "t": ["5", "6", "none"] * 4})
    few = pa.table({"k": [1, 2], "g": [0, 0]})
    with flightmesh.connect() as session:
        session.register("a", many)
        session.register("b", few)
        sql = f"select g, cast(sum({argument}) as int) as s from a join b on a.k = b.k group by g"
        (row,) = session.sql(sql).to_arrow().to_pylist()
    assert row == {"g": 0, "s": 44 if argument.startswith("cast") else 20}

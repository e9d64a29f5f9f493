"""Scalar aggregates over the same rows under different filters: what is fused, what is not, and that the answer is DuckDB's."""

from __future__ import annotations

import pytest

from flightmesh.errors import DataError
from flightmesh.logical.relations import Aggregate, Scan
from flightmesh.logical.traversal import walk
from flightmesh.logical.validate import validate
from flightmesh.optimize import fuse_single_rows
from flightmesh.optimize.rules import optimize
from tests.comparison import rows_of
from tests.optimize.binding import bound
from tests.optimize.building import STORED
from tests.optimize.checking import connection
from tests.running import run_relation


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fuses whatever saves a reading, however few rows there are."""
    for constant in ("CALL", "MASK", "NUMBER", "STAGE", "UNREAD"):
        monkeypatch.setattr(fuse_single_rows, constant, 0.0)


def selected(*parts: str) -> str:
    """A query of one row with these scalar subqueries."""
    return "select " + ", ".join(f"({part}) as v{place}" for place, part in enumerate(parts))


T = "from t where"
TU = "from t join u on t.k = u.k where"
FUSED = (
    # One filter, another, none; no row at all.
    selected(f"select count(*) {T} k > 1", f"select max(x) {T} k < 3", "select count(x) from t"),
    selected(f"select count(*) {T} k > 100", f"select sum(x) {T} k > 200", f"select count(x) {T} k = 1"),
    # What no row satisfies in three-valued logic.
    selected(f"select count(*) {T} k <> 5", f"select count(*) {T} not (k <> 5)", f"select count(*) {T} k is null"),
    # Several tables.
    selected(f"select count(*) {TU} t.x > 10 and u.y > 1", f"select sum(u.y) {TU} t.x < 50 and u.y < 10"),
    selected(f"select count(*) {TU} z = 'a' and s = 'a'", f"select min(s) {TU} z = 'b'", f"select count(*) {TU} t.x > u.y"),
    selected(f"select count(*) {T} k > 1 and k in (select k from u)", f"select avg(x) {T} k in (select k from u) and x > 40"),
    selected(
        "select count(y) from t left join u on t.k = u.k where x > 10",
        "select sum(y) from t left join u on t.k = u.k where x < 50",
    ),
    # Each row in one branch at most: DISTINCT too.
    selected(
        *(f"select count(distinct x) {T} k {part}" for part in ("between 0 and 2", "between 3 and 5", "in (6, 7)", "= 99"))
    ),
    selected(*(f"select avg(distinct x) {T} s {part}" for part in ("< 'c'", ">= 'c'"))),
    # Aggregates with filters and orders of their own.
    selected(f"select sum(x) filter (where s = 'a') {T} k > 1", f"select count(*) filter (where x is null) {T} k < 3"),
    selected(f"select string_agg(s, ',' order by s, x) {T} k > 1", f"select list(x order by x) {T} k < 3"),
    selected(f"select arg_max(s, x) {T} k < 6", f"select corr(x, k) {T} k > 1", f"select median(x) {T} k > 2"),
    # Computed columns below, expressions above.
    selected("select 1 + sum(n) from (select x + k as n, k from t) where n > 12", f"select 2 * count(*) {T} k = 5"),
    "select * from (select count(*) as a from t where k > 1) cross join (select count(*) as b, 1 as c from t where k > 2), v",
    # A shared relation; groups.
    "with g as (select k, sum(x) as n from t group by k)"
    " select (select count(*) from g where n > 20) as a, (select max(n) from g where k < 3) as b",
    # What may fail, but not for the rows of its branch: text that is no number.
    selected(f"select sum(cast(s as int)) {T} s < 'a'", f"select count(*) {T} k = 5"),
    selected(f"select count(*) {T} s < 'a' and cast(s as int) > 1", f"select count(*) {T} k = 5"),
    selected("select sum(cast(s as int)) from t join u on t.k = u.k where z > 'x'", f"select count(*) {TU} z = 'a'"),
    selected("select sum(n) from (select cast(s as int) as n, s from t) where s < 'a'", f"select count(*) {T} k = 5"),
)
APART = (
    # Nothing to read.
    selected("select count(*) from e where k > 1", "select sum(y) from e where k > 2", "select count(y) from e"),
    selected(f"select count(distinct x) {T} k > 1", f"select count(distinct x) {T} k > 2"),
    selected(f"select count(distinct x) {T} k <= 2", f"select count(distinct x) {T} k >= 2"),
    selected(f"select count(*) {T} k > 1", "select count(*) from u where k > 1"),
    selected(f"select count(*) {TU} t.x > 10", "select count(*) from t left join u on t.k = u.k where t.x > 20"),
    selected(f"select list(cast(s as int)) {T} s < 'a'", f"select count(*) {T} k = 5"),
    selected(f"select arg_min(cast(s as int), x) {T} s < 'a'", f"select count(*) {T} k = 5"),
    selected(f"select count(*) {T} k > 1 and random() < 2", f"select count(*) {T} k > 2"),
    selected(f"select max(x + 0 * random()) {T} k > 1 and k < 0", f"select count(*) {T} k > 2"),
    selected(
        "select count(*) from (select x from t where x > 10 order by x, k limit 4)",
        "select count(*) from (select x from t where x > 20 order by x, k limit 4)",
    ),
    selected(
        "select sum(r) from (select row_number() over (order by x, s) as r from t where k > 1)",
        "select sum(r) from (select row_number() over (order by x, s) as r from t where k > 2)",
    ),
)


@pytest.mark.parametrize("sql", FUSED + APART)
def test_answers_and_plans(sql: str) -> None:
    relation, context = bound(sql)
    optimized = optimize(relation, context)
    validate(optimized)
    last = [n for n in walk(optimized) if isinstance(n, Aggregate) and not n.groups]
    assert (len(last) == 1) is (sql in FUSED)
    if sql in FUSED:
        tables = [node.table.name for node in walk(last[0]) if isinstance(node, Scan)]
        assert len(tables) == len(set(tables))
    found = connection().execute(sql).arrow()
    expected = sorted(rows_of(found if hasattr(found, "column_names") else found.read_all()), key=repr)
    for partitions in (1, 3):
        assert sorted(rows_of(run_relation(optimized, tables=STORED, partitions=partitions)), key=repr) == expected


def test_what_fails_in_its_own_branch_fails() -> None:
    relation, context = bound(selected(f"select sum(cast(s as int)) {T} k = 5", f"select count(*) {T} k > 5"))
    with pytest.raises(DataError, match="INTEGER"):
        run_relation(optimize(relation, context), tables=STORED)


def test_reading_apart_stays_where_telling_apart_costs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuse_single_rows, "MASK", 50.0)
    relation, context = bound(selected(f"select count(*) {T} k > 1", f"select max(x) {T} k < 3"))
    assert sum(isinstance(node, Scan) for node in walk(optimize(relation, context))) == 2

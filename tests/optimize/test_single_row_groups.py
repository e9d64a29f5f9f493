"""Groupings of rows that are groups already: gone where that is proved, and the answer is DuckDB's."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.optimize import early_groups, single_row_groups
from tests.comparison import assert_same_rows, reference
from tests.optimize.parquet_tables import session_over

PEOPLE = pa.table(
    {
        "id": [3, 1, 4, 5, 9, 2, 6],
        "day": pa.array([1, 2, 2, 3, 4, 5, 6], pa.int32()).cast(pa.date32()),
        "x": [10, None, 30, 40, None, 60, 70],
        "d": pa.array([1, 2, None, 4, 5, 6, 7], pa.decimal128(9, 2)),
        "f": [1.5, -0.0, None, float("nan"), 2.0, 3.0, 4.0],
        "b": [True, None, False, True, True, None, False],
        "s": ["a", "b", None, "d", "e", "f", "a"],
    }
)
SALES = pa.table({"person": [1, 1, 1, 2, 3, None, 9, 9, 77], "amount": [1, 2, None, None, 5, 6, 7, 8, 9]})
TABLES = {"people": PEOPLE, "sales": SALES}

GONE = (
    "select id, count(*), count(x), sum(x), min(s), max(f), any_value(d), sum(d), bool_and(b) from people group by id",
    "select id, x + 1, sum(d), count(distinct x) from people where x > 20 group by id, x + 1",
    "select day, id, max(s) from people group by day, id",
    "select id, count(amount), sum(amount), max(amount) from people left join sales on id = person group by id",
    "select id, sum(n) from people, (select person, count(*) n from sales group by person) where id = person group by id",
    "select p.id, count(*) from people p semi join sales on p.id = person group by p.id",
    "select id, sum(x) from (select id, x from people order by x limit 4) group by id",
    "select id, count(*) from people, sales where id = person group by id",
)
KEPT = (
    "select day, count(*), sum(x) from people group by day",
    "select id, sum(f) from people group by id",
    "select id, sum(x) filter (where x > 20) from people group by id",
    "select id, avg(x) from people group by id",
    "select id + 1, sum(x) from people group by id + 1",
    "select id, count(*) from people right join sales on id = person group by id",
    "select count(*), sum(x) from people",
)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[flightmesh.Session]:
    with session_over(tmp_path_factory.mktemp("single"), TABLES, group_rows=4) as made:
        yield made


@pytest.mark.parametrize("sql", GONE + KEPT)
def test_answers_and_plans(session: flightmesh.Session, sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_row_groups, "LEAST_ROWS", 0)
    monkeypatch.setattr(early_groups, "LEAST_ROWS", 0)
    monkeypatch.setattr(early_groups, "WORTHWHILE", float("inf"))
    assert_same_rows(session.sql(sql).to_arrow(), reference(sql, **TABLES))
    grouped = [line for line in session.explain(sql).splitlines() if "Aggregate" in line and "person" not in line]
    assert bool(grouped) is (sql in KEPT)


def test_few_rows_are_not_worth_a_proof(session: flightmesh.Session) -> None:
    assert "Aggregate" in session.explain("select id, max(s) from people group by id -- planned anew")

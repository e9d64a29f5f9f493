"""Columns fetched above a LIMIT: where a key is proved and only there, with DuckDB's answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.optimize import late_columns
from tests.comparison import assert_same_order, reference
from tests.optimize.parquet_tables import session_over

DRAW = random.Random(7)
PEOPLE = pa.table(
    {
        "id": DRAW.sample(range(100), 100),
        "twice": [n // 2 for n in range(100)],
        "name": [f"name {n % 60}" for n in range(100)],
        "city": [DRAW.randrange(10) for _ in range(100)],
        "balance": [None if n % 9 == 0 else n for n in range(100)],
    }
)
CITIES = pa.table({"city": list(range(9)), "label": [None if n == 3 else f"city {n}" for n in range(9)]})
SALES = pa.table(
    {
        "sale": list(range(2000)),
        "person": [DRAW.randrange(110) if n % 50 else None for n in range(2000)],
        "amount": [1000 * n + DRAW.randrange(1000) for n in range(2000)],
    }
)
TABLES = {"people": PEOPLE, "cities": CITIES, "sales": SALES}
JOINED = "from people p, sales s, cities c where p.id = s.person and p.city = c.city and s.amount % 3 < 2"

LATE = (
    f"select p.id, p.name, sum(amount) t {JOINED} group by p.id, p.name order by t desc, p.id limit 7",
    f"select p.name, p.balance, c.label, max(amount) t {JOINED} group by p.id, p.name, p.balance, c.label"
    " order by t limit 5 offset 2",
    f"select l, name n, id + 1 i, t + 1 u from (select c.label l, p.name, p.id, sum(amount) t {JOINED} group by 1, 2, 3)"
    " order by t limit 4",
    f"select s.person, p.name, count(*) n, sum(amount) t {JOINED} group by s.person, p.name having count(*) > 3"
    " order by n desc, t limit 6",
    f"select p.name, p.name again, p.id, t from (select p.id, p.name, sum(amount) t {JOINED} group by p.id, p.name) p"
    " where t > 100 and id % 2 = 0 order by t desc limit 3",
    f"select s.sale, p.name, c.label, sum(amount) t {JOINED} group by s.sale, p.name, c.label order by t desc limit 3",
    "select p.id, p.name, x.n from people p, (select p.id, p.name, count(*) n, sum(s.amount) t from people p, sales s"
    " where p.id = s.person group by p.id, p.name order by t limit 4) x where x.id = p.id and x.name = p.name order by p.id",
    f"select p.id, p.name, sum(amount) t {JOINED} group by p.id, p.name having p.name > 'name 3' order by t limit 7",
)
NOT_LATE = (
    f"select p.id, p.name, sum(amount) t {JOINED} and s.person in (select person from sales group by person"
    " having count(*) > 15) group by p.id, p.name order by t limit 7",
    f"select c.label || '!' l, p.name n, p.id + 1 i, t from (select c.label, p.name, p.id, sum(amount) t {JOINED}"
    " group by 1, 2, 3) x join people p using (id) join cities c using (label) order by t limit 4",
    f"select p.twice, p.name, sum(amount) t {JOINED} group by p.twice, p.name order by t limit 7",
    f"select p.id, p.name, sum(amount) t {JOINED} group by p.id, p.name order by p.name, t limit 7",
    f"select p.id, upper(p.name) u, sum(amount) t {JOINED} group by p.id, p.name order by t limit 7",
    f"select p.id, p.name, t from (select p.id, p.name, sum(amount) t {JOINED} group by p.id, p.name) p"
    " where t > length(name) order by t limit 7",
    f"select p.id, p.balance, sum(amount) t {JOINED} group by p.id, p.balance order by t limit 7",
    f"select p.id, p.name, sum(amount) t {JOINED} group by p.id, p.name order by t",
    f"select p.id, c.label, p.name, sum(amount) t {JOINED} group by p.id, c.label, p.name order by t limit 2000",
    "select s.person, p.name, sum(amount) t from sales s left join people p on p.id = s.person group by s.person, p.name"
    " order by t limit 8",
)


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetches late however few rows there are."""
    monkeypatch.setattr(late_columns, "TEXT", float("inf"))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[flightmesh.Session]:
    with session_over(tmp_path_factory.mktemp("late"), TABLES, group_rows=700) as made:
        yield made


@pytest.mark.parametrize("sql", LATE + NOT_LATE)
def test_answers_and_plans(session: flightmesh.Session, sql: str) -> None:
    assert_same_order(session.sql(sql).to_arrow(), reference(sql, **TABLES))
    assert _is_late(session, sql) is (sql in LATE)


def _is_late(session: flightmesh.Session, sql: str) -> bool:
    """Whether people are read once more than the text says."""
    return session.explain(sql).count("Scan people") > sql.count("people ")


def test_a_key_that_is_none_any_more_is_a_group_of_each_text(tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    sql = (
        "select p.id, p.name, sum(s.amount) t from people p, sales s where p.id = s.person group by p.id, p.name"
        " order by t desc, p.name limit 4"
    )
    with flightmesh.connect(threads=2) as session:
        session.register("sales", SALES)
        pq.write_table(PEOPLE, path)
        session.register("people", path)
        assert_same_order(session.sql(sql).to_arrow(), reference(sql, people=PEOPLE, sales=SALES))
        repeated = pa.concat_tables([PEOPLE, PEOPLE.set_column(2, "name", pa.array([f"other {n}" for n in range(100)]))])
        pq.write_table(repeated, path)
        assert_same_order(session.sql(sql).to_arrow(), reference(sql, people=repeated, sales=SALES))


def test_few_rows_are_not_worth_a_second_reading(session: flightmesh.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_columns, "TEXT", 2.0)
    assert not _is_late(session, LATE[0] + " -- planned anew")

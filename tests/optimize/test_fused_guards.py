"""What is fused keeps the guards that the text has, and what is told apart is not equal."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

import flightmesh

Both = tuple[flightmesh.Session, duckdb.DuckDBPyConnection]


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    """Rows whose text is no number where a filter keeps them from being read, and intervals that are equal in two ways."""
    numbers = range(200_000)
    t = pa.table(
        {
            "k": [n % 100 for n in numbers],
            "v": [n % 1000 for n in numbers],
            "txt": ["bad" if n % 100 >= 97 else str(n % 100) for n in numbers],
            "i": pa.array([(1, 0, 0) if n % 2 else (0, 30, 0) for n in numbers], pa.month_day_nano_interval()),
        }
    )
    r = pa.table({"x": pa.array(range(100), pa.int32())})
    with flightmesh.connect(threads=2) as session, duckdb.connect() as duck:
        for name, table in (("t", t), ("r", r)):
            session.register(name, table)
            duck.register("incoming", table)
            duck.execute(f"create table {name} as select * from incoming")
        yield session, duck


def check(both: Both, subqueries: list[str]) -> None:
    session, duck = both
    text = f"select {', '.join(f'({one}) as n{number}' for number, one in enumerate(subqueries))}"
    assert [tuple(row.values()) for row in session.sql(text).to_arrow().to_pylist()] == duck.execute(text).fetchall()


@pytest.mark.parametrize(
    "rows",
    [
        "t where {} and exists (select 1 from r where r.x = cast(t.txt as int))",
        "t left join r on r.x = cast(t.txt as int) where {}",
        "t join r on r.x = cast(t.txt as int) where {}",
    ],
)
def test_a_join_that_may_fail_is_not_asked_about_rows_that_were_dropped(both: Both, rows: str) -> None:
    ranges = ((0, 19), (20, 39), (40, 59), (60, 79), (80, 96))
    check(both, [f"select count(distinct v) from {rows.format(f'k between {low} and {high}')}" for low, high in ranges])


def test_equal_intervals_are_not_disjoint(both: Both) -> None:
    said = ("1 month", "30 days", "31 days")
    check(both, [f"select count(distinct v) from t where i = interval '{one}'" for one in said])

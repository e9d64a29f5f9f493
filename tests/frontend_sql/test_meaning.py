"""What queries mean: bound here, run by the engine, and compared with DuckDB's answer, row for row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.compare import Order, assert_same
from tests.frontend_sql.tables import TABLES, duckdb_connection
from tests.meshes import ANYWHERE, AnySession, session_anywhere

FOLDER = Path(__file__).parent

_PAIRS = "(select t.a as a, u.a as b, u.c as c, ({}) as met from t, u) where met"
BEYOND_DUCKDB = (
    (
        "select t.a from t semi join lateral (select 1 as one from u where u.a = t.a) x on true",
        "select t.a from t semi join u using (a)",
    ),
    (
        "select t.a from t anti join lateral (select 1 as one from u where u.a = t.a) x on true",
        "select t.a from t anti join u using (a)",
    ),
    (
        "select t.a, u.c from t left join u on t.a = u.a and exists (select 1 from v where v.a = t.a and v.a = u.a)",
        "select t.a, w.c from t left join (select * from u where a in (select a from v)) w on t.a = w.a",
    ),
    (
        "select t.a, u.c from t right join u on t.a < u.a and (select count(*) from v where v.a <= t.a and v.a < u.a) > 1",
        f"select p.a, u.c from u left join (from {_PAIRS.format('t.a < u.a and t.a >= 2 and u.a > 2')}) p on u.c = p.c",
    ),
    (
        "select t.a from t semi join u on (select max(v.a) from v where v.a < t.a + u.a) = u.a",
        f"select a from t where a in (select a from {_PAIRS.format('u.a = least(2, t.a + u.a - 1)')})",
    ),
    (
        "select t.a, u.c from t left join u on u.a in (select v.a from v where v.a = t.a) or t.a = 3",
        f"select t.a, p.c from t left join (from {_PAIRS.format('(u.a = t.a and t.a <= 2) or t.a = 3')}) p on t.a = p.a",
    ),
)
"""Queries that DuckDB refuses, each with one that means the same over these tables."""


def _texts(name: str) -> list[str]:
    return (FOLDER / name).read_text().splitlines()


@pytest.fixture(scope="module", params=ANYWHERE)
def session(request: pytest.FixtureRequest) -> Iterator[AnySession]:
    with session_anywhere(request.param, request, partitions=2) as opened:
        for name, table in TABLES.items():
            opened.register(name, table)
        yield opened


@pytest.fixture(scope="module")
def reference() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb_connection()
    yield connection
    connection.close()


@pytest.mark.parametrize("text", _texts("rows.sql"))
def test_same_rows_as_duckdb(session: AnySession, reference: duckdb.DuckDBPyConnection, text: str) -> None:
    assert_same(_numbered(session.sql(text).to_arrow()), _numbered(reference.sql(text).to_arrow_table()), Order.FREE)


@pytest.mark.parametrize("text", _texts("rows_in_order.sql"))
def test_same_order_as_duckdb(session: AnySession, reference: duckdb.DuckDBPyConnection, text: str) -> None:
    assert_same(session.sql(text).to_arrow(), reference.sql(text).to_arrow_table(), Order.COUNTS)


@pytest.mark.parametrize(("text", "same"), BEYOND_DUCKDB)
def test_what_duckdb_does_not_take(session: AnySession, reference: duckdb.DuckDBPyConnection, text: str, same: str) -> None:
    assert_same(_numbered(session.sql(text).to_arrow()), _numbered(reference.sql(same).to_arrow_table()), Order.FREE)


def _numbered(table: pa.Table) -> pa.Table:
    """The table with its columns numbered: titles of unnamed expressions are tested elsewhere."""
    return table.rename_columns([str(i) for i in range(table.num_columns)])

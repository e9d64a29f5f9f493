"""Dates and timestamps that Python has none for: past the year 9999, and before the year 1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from tests.compare import Order, assert_same, duckdb_answer

DAYS = [3_000_000, 5, 5, None, -800_000]
ROWS = pa.table(
    {
        "d": pa.array(DAYS, pa.int32()).cast(pa.date32()),
        "ts": pa.array([None if day is None else day * 86_400_000_000 for day in DAYS], pa.int64()).cast(pa.timestamp("us")),
        "x": [1, 2, 3, 4, 5],
    }
)
FAR = "(date '9999-01-01' + interval 100 year)"
QUERIES = [
    "select d - date '1970-01-01' as days, count(*) as n from t group by d",
    "select x from t where d < date '2020-01-01'",
    "select x from t where d > timestamp '1969-01-01'",
    "select count(distinct ts) as n, min(x) as x from t where ts < timestamp '2020-01-01'",
    "select a.x, b.x as y from t a join t b on a.d = b.d and a.ts = b.ts",
    f"select x from t where d < {FAR}",
    f"select x from t where d >= {FAR}",
    f"select x from t where d in ({FAR}, date '1970-01-06')",
    f"select case when ts > {FAR} then 1 else 0 end as c from t",
    "select max(x) as x from t where ts between timestamp '1000-01-01' and timestamp '9999-01-01' + interval 1000 year",
    "select x from t where d = (select max(d) from t)",
    "select d::varchar as d, ts::varchar as ts from t",
    "select (ts + interval 90 minute + interval 500 millisecond)::varchar as ts, (d - 1)::varchar as d from t",
    "select (date '0001-01-01' - 1)::varchar as d, (timestamptz '0001-01-01 00:00:00.25+00' - interval 1 day)::varchar as z",
    "select x from t where d < date '0044-03-15 (BC)' or ts >= timestamp '10183-09-21 00:00:00'",
    "select x, (d::varchar)::date = d as d, (ts::varchar)::timestamp = ts as ts from t",
    "select x from (values (date '10183-09-21'), (date '0221-08-30 (BC)')) v(day) join t on t.d >= v.day",
    "select x from t where list_contains([date '10183-09-21', date '1970-01-06'], d)",
    "select x from t where d::timestamp = timestamp '1970-01-06'",
    "select x from t where d::timestamp < timestamp '1970-01-06 00:00:01' order by x limit 2",
]


@pytest.fixture(params=["memory", "file"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[flightmesh.Session]:
    with flightmesh.connect(threads=2) as opened:
        if request.param == "memory":
            opened.register("t", ROWS)
        else:
            pq.write_table(ROWS, tmp_path / "t.parquet")
            opened.register("t", tmp_path / "t.parquet")
        yield opened


@pytest.mark.parametrize("query", QUERIES)
def test_as_duckdb(session: flightmesh.Session, query: str) -> None:
    with duckdb.connect() as connection:
        connection.register("rows", ROWS)
        connection.execute("create table t as select * from rows")  # it cannot filter Arrow's rows by such dates itself
        assert_same(session.sql(query).to_arrow(), duckdb_answer(connection, query), Order.FREE)


TEXTS = """\
-0044-03-15|-44-3-15|-044/03/15| -0044-03-15|-1-03-15|-0001-01-01|-0000-01-01|0000-01-01|0-03-15|-12345-03-15|-0044-02-29
-0004-02-29|-0043-02-29|0044-03-15 (BC)|0044-03-15(BC)|0044-03-15  (BC)|-0044-03-15 (BC)|0000-03-15 (BC)|--44-03-15|- 44-03-15
+0044-03-15|000000044-03-15|-5877641-06-25|-5877641-06-24|-5877642-06-25|5881580-07-10|5881580-07-11|999999999-01-01
-290308-12-22|-290308-12-21|294247-01-10|294247-01-11|-0044-03-15 10:00:00|-0044-03-15T10:00:00.25Z|-290308-12-22 00:00:00
-290308-12-21 23:59:59|294247-01-10 04:00:54.775806|294247-01-10 04:00:54.775807|294247-01-10 05:00:00|-290309-01-01 00:00:00
-44-03-15 (BC)|0044-03-15 (BC) 01:02:03|0000-01-01 01:02:03""".replace("\n", "|").split("|")


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
def test_texts_are_read_as_duckdb_reads_them(kind: str) -> None:
    query = f"select try_cast(t as {kind})::varchar as read from texts"
    said = [text for text in TEXTS if kind != "timestamptz" or not text.startswith(("-2903", "2942"))]  # it cannot print these
    texts = pa.table({"t": said})
    with flightmesh.connect(threads=1) as session, duckdb.connect() as connection:
        session.register("texts", texts)
        connection.register("texts", texts)
        connection.execute("set timezone = 'UTC'")
        read = session.sql(query).to_arrow()["read"].to_pylist()
        expected = [row[0] for row in connection.execute(query).fetchall()]
    assert dict(zip(said, read, strict=True)) == dict(zip(said, expected, strict=True))


def test_a_literal_may_have_a_negative_year() -> None:
    query = "select x from t where d < date '-9999-03-15' or ts > timestamp '-0044-03-15 00:00:00' order by x"
    with flightmesh.connect(threads=1) as session, duckdb.connect() as connection:
        session.register("t", ROWS)
        connection.register("rows", ROWS)
        connection.execute("create table t as select * from rows")
        assert_same(session.sql(query).to_arrow(), duckdb_answer(connection, query), Order.COUNTS)
        assert session.sql("select (date '-0044-03-15')::varchar as d").to_arrow()["d"].to_pylist() == ["0045-03-15 (BC)"]


def test_they_are_shown(session: flightmesh.Session, capsys: pytest.CaptureFixture[str]) -> None:
    text = session.explain(f"select x from t where d < {FAR} and ts > timestamp '2000-01-01'")
    assert "d#0 < DATE '10099-01-01'" in text
    assert "(10183-09-21), (0044-03-15 (BC))" in session.explain(
        "select * from (values (date '10183-09-21'), (date '0044-03-15 (BC)')) v(day) join t on t.d = v.day"
    )
    session.sql("select max(d) as d from t").show()
    assert "10183-09-21" in capsys.readouterr().out

"""Queries over decimals that files store as integers: rows, types and errors as if they had 128 bits everywhere."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.errors import DataError
from flightmesh.fragment.grouping import Aggregation
from tests.comparison import reference, rows_of

ROWS = 20_000
QUERIES = {
    "as they are": "SELECT n, price, share, amount FROM facts WHERE n % 500 = 3",
    "filtered by them": "SELECT n FROM facts WHERE price BETWEEN 10 AND 12.5 AND share < 0.3 OR amount = -3.001",
    "no value": "SELECT count(*) AS c, count(price) AS p FROM facts WHERE price IS NULL OR share IS NOT NULL",
    "computed with": "SELECT n, price * (1 - share) AS p, price + amount AS s, -price AS m, abs(share - 0.5) AS a "
    "FROM facts WHERE n < 300",
    "divided, rounded, cast": "SELECT n, price / 3 AS d, round(price, 1) AS r, "
    "cast(price AS bigint) AS i, cast(price AS varchar) AS t FROM facts WHERE n < 300",
    "lazily": "SELECT n, CASE WHEN share <> 0 THEN price / share ELSE 0 END AS q, coalesce(price, "
    "amount / share) AS c FROM facts WHERE n < 300",
    "in lists": "SELECT n FROM facts WHERE price IN (1.25, 7.5, 100) OR share NOT IN (0.1, 0.2, 0.3)",
    "sums": "SELECT kind, sum(price) AS s, sum(price * (1 - share)) AS p, sum(amount) AS a, "
    "count(share) AS c, avg(price) AS m FROM facts GROUP BY kind",
    "of all rows": "SELECT sum(price) AS s, min(price) AS a, max(amount) AS b, "
    "sum(price * share) AS p, avg(share) AS m FROM facts",
    "of no rows": "SELECT sum(price) AS s, min(price) AS a, max(price * share) AS b FROM facts WHERE n < 0",
    "extremes": "SELECT kind, min(price) AS a, max(price) AS b, min(price * share) AS c, max(amount) AS d "
    "FROM facts GROUP BY kind",
    "long text keys": "SELECT name, sum(price) AS s, max(share) AS b, count(amount) AS c FROM facts GROUP BY name",
    "few rows a group": "SELECT n % 9000 AS k, sum(price) AS s, min(amount) AS a FROM facts GROUP BY k",
    "keys": "SELECT share, count(*) AS c, sum(price) AS s FROM facts GROUP BY share",
    "keys and arguments": "SELECT share, sum(share) AS s FROM facts GROUP BY share",
    "other aggregates": "SELECT kind, stddev_pop(price) AS d, median(price) AS m, "
    "count(DISTINCT share) AS c, arg_max(price, n) AS a FROM facts GROUP BY kind",
    "with FILTER": "SELECT kind, sum(price) FILTER (WHERE share > 0.5) AS s, list(price ORDER BY n)[1] AS l "
    "FROM facts GROUP BY kind",
    "grouping sets": "SELECT kind, share, sum(price) AS s FROM facts WHERE share < 0.1 GROUP BY ROLLUP (kind, share)",
    "of a build side": "SELECT kind, sum(cost) AS s, max(cost * share) AS m "
    "FROM facts JOIN things ON thing = id GROUP BY kind",
    "of both sides": "SELECT n, price, cost FROM facts JOIN things ON thing = id WHERE n < 500",
    "of a LEFT join": "SELECT n, price, cost FROM facts LEFT JOIN things ON thing + 20 = id WHERE n < 500",
    "sums of a LEFT join": "SELECT kind, sum(cost) AS s, sum(price - cost) AS d "
    "FROM facts LEFT JOIN things ON thing + 20 = id GROUP BY kind",
    "of a FULL join": "SELECT kind, sum(cost) AS s, sum(price) AS p "
    "FROM facts FULL JOIN things ON thing + 20 = id GROUP BY kind",
    "a RIGHT join": "SELECT id, sum(price) AS s FROM facts RIGHT JOIN things ON thing = id + 20 GROUP BY id",
    "in a residual": "SELECT kind, count(*) AS c, sum(cost) AS s "
    "FROM facts JOIN things ON thing = id AND price > cost GROUP BY kind",
    "keys of a join": "SELECT count(*) AS c, sum(f.price) AS s FROM facts f JOIN things ON share = part",
    "SEMI": "SELECT sum(price) AS s "
    "FROM facts WHERE price > (SELECT avg(price) FROM facts) AND thing IN (SELECT id FROM things WHERE cost > 30)",
    "NOT EXISTS": "SELECT count(*) AS c, sum(price) AS s "
    "FROM facts f WHERE NOT EXISTS (SELECT 1 FROM things WHERE id = thing AND cost < f.price)",
    "sums of a union": "SELECT k, sum(v) AS s, max(v) AS b FROM (SELECT kind AS k, price AS v FROM facts WHERE n < 9000 "
    "UNION ALL SELECT 'a', cost FROM things UNION ALL SELECT kind, share FROM facts UNION ALL "
    "SELECT kind, amount FROM facts) GROUP BY k",
    "of a limit": "SELECT sum(v) AS s FROM (SELECT price * 0 AS v FROM facts LIMIT 7000)",
    "a union": "SELECT sum(v) AS s FROM (SELECT price AS v FROM facts UNION ALL SELECT cost FROM things)",
    "windows": "SELECT n, sum(price) OVER (PARTITION BY kind ORDER BY n) AS s, rank() OVER (ORDER BY price, n) AS r "
    "FROM facts WHERE n < 400",
    "first rows": "SELECT n, price FROM facts ORDER BY price DESC NULLS LAST, n LIMIT 20",
    "distinct": "SELECT DISTINCT share, kind FROM facts WHERE share < 0.2",
    "of groups": "SELECT max(s) AS m FROM (SELECT kind, sum(price) AS s FROM facts GROUP BY kind)",
}  # fmt: skip


def facts(part: int) -> pa.Table:
    rows = range(part * ROWS, (part + 1) * ROWS)
    return pa.table(
        {
            "n": pa.array(rows, pa.int64()),
            "thing": pa.array([i % 40 for i in rows], pa.int64()),
            "kind": ["abc"[i % 3] for i in rows],
            "name": [f"a text that is longer than others, number {i % 37}" for i in rows],
            "price": pa.array([None if i % 13 == 0 else Decimal(i % 9973 - 20).scaleb(-2) for i in rows], pa.decimal128(7, 2)),
            "share": pa.array([Decimal(i % 101).scaleb(-2) for i in rows], pa.decimal128(3, 2)),
            "amount": pa.array([Decimal(i * 10**9 - 3001).scaleb(-3) for i in rows], pa.decimal128(18, 3)),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Facts in three files, of which the last stores decimals as bytes, and things."""
    folder = tmp_path_factory.mktemp("decimals")
    (folder / "facts").mkdir()
    for part in range(3):
        pq.write_table(
            facts(part), folder / "facts" / f"{part}.parquet", row_group_size=3000, store_decimal_as_integer=part < 2
        )
    things = pa.table(
        {
            "id": pa.array(range(36), pa.int64()),
            "cost": pa.array([None if i % 9 == 0 else Decimal(i * 301).scaleb(-2) for i in range(36)], pa.decimal128(9, 2)),
            "part": pa.array([Decimal(i * 3).scaleb(-2) for i in range(36)], pa.decimal128(3, 2)),
        }
    )
    pq.write_table(things, folder / "things.parquet", store_decimal_as_integer=True)
    return folder


@pytest.fixture(scope="module", params=[1, 3])
def session(folder: Path, request: pytest.FixtureRequest) -> flightmesh.Session:
    with flightmesh.connect(threads=request.param) as session:
        session.register("facts", folder / "facts")
        session.register("things", folder / "things.parquet")
        yield session


@pytest.mark.parametrize("name", QUERIES)
def test_rows_are_those_of_duckdb(name: str, session: flightmesh.Session, folder: Path) -> None:
    sql = QUERIES[name] + ("" if "LIMIT" in QUERIES[name] else " ORDER BY ALL")
    found = session.sql(sql).to_arrow()
    found.validate(full=True)
    assert not any(pa.types.is_decimal64(t) for t in found.schema.types)
    tables = {"facts": pq.read_table(folder / "facts"), "things": pq.read_table(folder / "things.parquet")}
    assert rows_of(found) == rows_of(reference(sql, **tables))


@pytest.mark.parametrize("name", ["sums", "of a build side", "in a residual", "sums of a union"])
def test_they_have_64_bits_as_far_as_the_grouping(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all of the above says nothing."""
    seen: set[pa.DataType] = set()
    groups = Aggregation.groups

    def noted(self: Aggregation, batch: pa.RecordBatch) -> pa.RecordBatch:
        seen.update(batch.schema.types)
        return groups(self, batch)

    monkeypatch.setattr(Aggregation, "groups", noted)
    with flightmesh.connect(threads=2) as session:
        session.register("facts", [folder / "facts" / f"{part}.parquet" for part in range(2)])
        session.register("things", folder / "things.parquet")
        session.sql(QUERIES[name]).to_arrow()
    assert any(pa.types.is_decimal64(kind) for kind in seen)


def test_a_value_past_the_digits_of_its_result_is_an_error(session: flightmesh.Session) -> None:
    with pytest.raises(DataError, match="overflow"):
        session.sql("SELECT sum(cast(amount AS decimal(38, 3)) * 100000000000000000000) FROM facts").to_arrow()
    with pytest.raises(DataError, match=r"does not fit|cannot cast .* to DECIMAL\(5,2\)"):
        session.sql("SELECT n, cast(amount AS decimal(5, 2)) AS a FROM facts").to_arrow()


@pytest.mark.parametrize("as_integers", [True, False])
def test_a_decimal_with_the_path_of_another_column(as_integers: bool, tmp_path: Path) -> None:
    """A struct `a` with a child `b`, and a flat column `a.b`: in the file both have the same path."""
    inner = pa.array([{"b": i} for i in range(20)], pa.struct([("b", pa.int64())]))
    flat = pa.array([Decimal(i * 100).scaleb(-2) for i in range(20)], pa.decimal128(9, 2))
    pq.write_table(pa.table({"a": inner, "a.b": flat}), tmp_path / "r.parquet", store_decimal_as_integer=as_integers)
    with flightmesh.connect(threads=1) as session:
        session.register("r", tmp_path / "r.parquet")
        found = session.sql('SELECT sum("a.b") AS s, count(*) AS n FROM r WHERE "a.b" > 4.5').to_arrow()
    assert found.to_pylist() == [{"s": Decimal("180.00"), "n": 15}]

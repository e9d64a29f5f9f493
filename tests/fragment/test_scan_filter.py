"""A scan's filters: the same rows whether rows are cut on the way or not; what may fail is not asked of rows that fall out."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
import flightmesh.fragment.scan_filter as module
from flightmesh.expression.nodes import Call, Column, Expression, Literal
from flightmesh.expression.registry import bind_call
from flightmesh.fragment.portions import Portions
from flightmesh.fragment.scan_filter import ScanFilter, compile_scan_filter
from flightmesh.ids import ColumnId
from tests.comparison import reference

ROWS = 3000
TEXT, NUMBER = Column(ColumnId(1), "text", pa.string()), Column(ColumnId(2), "number", pa.int64())
FILTERS = {
    "none passes": "text = 'nobody' AND number > 10",
    "one entry": "text = 'b' AND number > 10",
    "two entries": "text IN ('a', 'c') AND number % 2 = 0 AND day < DATE '2000-02-01'",
    "most entries": "text <> 'a' AND number BETWEEN 10 AND 2900",
    "all entries": "text >= '' AND number < 1000",
    "NULL passes": "(text IS NULL OR text = 'b') AND number > 10",
    "only NULL": "text IS NULL AND number > 10",
    "two texts": "text IN ('a', 'b') AND other <> 'x1' AND price > 3.5",
    "a text and a number": "text = 'a' AND (other = 'x2' OR number < 50) AND price < 20",
}


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    numbers = range(ROWS)
    return pa.table(
        {
            "text": [None if n % 11 == 0 else "abcd"[n % 4] for n in numbers],
            "other": [f"x{n % 3}" for n in numbers],
            "number": pa.array(numbers, pa.int64()),
            "price": pa.array([Decimal(n % 100) for n in numbers], pa.decimal128(9, 2)),
            "day": pa.array([10957 + n % 60 for n in numbers], pa.int32()).cast(pa.date32()),
        }
    )


@pytest.mark.parametrize("cut", [0.0, 3.5, 1e9], ids=["always cut", "by cost", "never cut"])
@pytest.mark.parametrize("name", FILTERS)
def test_rows_are_those_of_duckdb(
    name: str, cut: float, rows: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CUT", cut)
    pq.write_table(rows, tmp_path / "r.parquet", row_group_size=700)
    sql = f"SELECT * FROM r WHERE {FILTERS[name]} ORDER BY number"
    with flightmesh.connect(threads=1) as session:
        session.register("r", tmp_path / "r.parquet")
        assert session.sql(sql).to_arrow().to_pylist() == reference(sql, r=rows).to_pylist()


def test_what_may_fail_is_not_asked_of_rows_that_fall_out(tmp_path: Path) -> None:
    """A tenth of the rows fall out, which would not pay: but their texts are no numbers."""
    table = pa.table({"kind": ["bad" if n % 10 == 0 else "good" for n in range(ROWS)], "n": range(ROWS)})
    texts = pa.array([f"no number {n}" if n % 10 == 0 else str(n) for n in range(ROWS)])
    pq.write_table(table.append_column("t", texts), tmp_path / "r.parquet")
    with flightmesh.connect(threads=1) as session:
        session.register("r", tmp_path / "r.parquet")
        found = session.sql("SELECT count(*) AS c FROM r WHERE kind <> 'bad' AND cast(t AS integer) >= 1000").to_arrow()
    assert found.to_pylist() == [{"c": 1800}]


def compared(function: str, left: Expression, right: Expression) -> Call:
    made = bind_call(function, (left, right))
    assert isinstance(made, Call)
    return made


class Noted:
    """A program that notes how many rows it sees."""

    def __init__(self, program: Portions) -> None:
        self._program = program
        self.seen: list[int] = []

    def run(self, batch: pa.RecordBatch) -> object:
        self.seen.append(batch.num_rows)
        return self._program.run(batch)


def test_cheap_comparisons_look_at_all_rows_and_dear_ones_at_those_that_are_left() -> None:
    texts = pa.array(["abcd"[n % 4] for n in range(1000)]).dictionary_encode()
    batch = pa.RecordBatch.from_arrays([texts, pa.array(range(1000))], names=["c1", "c2"])
    one_of_four = compared("equal", TEXT, Literal(pa.scalar("a")))
    cheap = compared("less", NUMBER, Literal(pa.scalar(100)))
    dear = compared("equal", bind_call("length", (bind_call("concat", (TEXT, TEXT)),)), NUMBER)
    for rest, expected in ((cheap, 1000), (dear, 250)):
        made = compile_scan_filter((one_of_four, rest))
        assert made.rest is not None
        noted = Noted(made.rest)
        ScanFilter(made.texts, noted, made.rest_cost).apply(batch, ["c2"])  # type: ignore[arg-type]
        assert noted.seen == [expected]


@pytest.mark.parametrize("where", ["s IS NULL OR s = 'v005'", "coalesce(s, 'none') = 'none'", "s = 'v255'"])
def test_as_many_entries_as_their_numbers_can_tell_apart(where: str, tmp_path: Path) -> None:
    """256 entries in bytes: the place that stands for NULL has no number of its own."""
    texts = pa.array([f"v{number:03d}" for number in range(256)])
    column = pa.DictionaryArray.from_arrays(pa.array([n % 256 for n in range(2560)], pa.uint8()), texts)
    pq.write_table(pa.table({"s": column, "n": range(2560)}), tmp_path / "r.parquet")
    with flightmesh.connect(threads=1) as session:
        session.register("r", tmp_path / "r.parquet")
        found = session.sql(f"SELECT count(*) AS c, min(s) AS a, max(s) AS b FROM r WHERE {where}").to_arrow()
    plain = pa.table({"s": column.cast(pa.string()), "n": range(2560)})
    assert (
        found.to_pylist()
        == reference(f"SELECT count(*) AS c, min(s) AS a, max(s) AS b FROM r WHERE {where}", r=plain).to_pylist()
    )

"""Row groups are pruned by their statistics, never one that has a matching row."""

from __future__ import annotations

import datetime
import math
import random
import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.formats import parquet
from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import splits
from flightmesh.catalog.table import FileTable
from flightmesh.expression.nodes import Call, Cast, Expression, Field, InList, Literal
from tests.catalog.reading import call, compare, fields_of, literal, read_all

GROUP = 10


@pytest.fixture
def clustered(tmp_path: Path) -> FileTable:
    """Ten row groups of ten rows: `i` and `d` ascend, `t` is text a..j, `n` is NULL in even groups, 1 in odd ones."""
    rows = range(10 * GROUP)
    table = pa.table(
        {
            "i": pa.array(rows, pa.int64()),
            "d": pa.array([datetime.date(2020, 1, 1) + datetime.timedelta(days=row) for row in rows]),
            "p": pa.array([Decimal(row) / 4 for row in rows], pa.decimal128(15, 2)),
            "t": pa.array([f"{'abcdefghij'[row // GROUP]}-{row}" for row in rows], pa.string_view()),
            "n": pa.array([None if row // GROUP % 2 == 0 else 1 for row in rows], pa.int32()),
            "f": pa.array([math.nan if row == 5 else float(row) for row in rows]),
            "b": pa.array([row >= 50 for row in rows]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=GROUP)
    return open_table("t", tmp_path / "a.parquet")


def groups(table: FileTable, *filters: Expression) -> list[int]:
    """The row groups that survive."""
    found = splits(table, filters, list(fields_of(table).values()))
    return [piece for split in found for piece in split.pieces]  # type: ignore[union-attr]


def test_comparisons(clustered: FileTable) -> None:
    i = fields_of(clustered)["i"]
    assert groups(clustered) == list(range(10))
    assert groups(clustered, compare("equal", i, 37)) == [3]
    assert groups(clustered, compare("equal", i, 1000)) == []
    assert groups(clustered, compare("less", i, 20)) == [0, 1]
    assert groups(clustered, compare("less_equal", i, 20)) == [0, 1, 2]
    assert groups(clustered, compare("greater", i, 89)) == [9]
    assert groups(clustered, compare("greater_equal", i, 89)) == [8, 9]
    assert groups(clustered, call("less", literal(89, pa.int64()), i.column())) == [9]
    assert groups(clustered, compare("not_equal", i, 5)) == list(range(10))
    assert groups(clustered, compare("greater", i, 25), compare("less", i, 45)) == [2, 3, 4]
    assert groups(clustered, call("between", i.column(), literal(25, pa.int64()), literal(31, pa.int64()))) == [2, 3]
    assert groups(clustered, literal(False, pa.bool_())) == []
    assert groups(clustered, compare("equal", i, None)) == []


def test_connectives_and_lists(clustered: FileTable) -> None:
    i, t = fields_of(clustered)["i"], fields_of(clustered)["t"]
    either = call("or", compare("less", i, 5), compare("equal", t, "h-71"))
    assert groups(clustered, either) == [0, 7]
    assert groups(clustered, call("and", either, compare("greater", i, 50))) == [7]
    options = tuple(Literal(pa.scalar(value, pa.int64())) for value in (3, 55, 999))
    assert groups(clustered, InList(i.column(), options)) == [0, 5]
    assert groups(clustered, call("not", compare("less", i, 5))) == list(range(10))


def test_nulls(clustered: FileTable) -> None:
    n = fields_of(clustered)["n"]
    odd, even = [1, 3, 5, 7, 9], [0, 2, 4, 6, 8]
    assert groups(clustered, call("is_null", n.column())) == even
    assert groups(clustered, call("is_not_null", n.column())) == odd
    assert groups(clustered, call("not", call("is_null", n.column()))) == odd
    assert groups(clustered, call("not", call("is_not_null", n.column()))) == even
    assert groups(clustered, compare("equal", n, 1)) == odd
    assert groups(clustered, compare("is_not_distinct_from", n, None)) == even
    assert groups(clustered, compare("is_not_distinct_from", n, 1)) == odd
    assert groups(clustered, compare("not_equal", n, 1)) == []


def test_text_and_prefixes(clustered: FileTable) -> None:
    t = fields_of(clustered)["t"]
    assert groups(clustered, compare("greater_equal", t, "i")) == [8, 9]
    assert groups(clustered, compare("like", t, "c%")) == [2]
    assert groups(clustered, compare("like", t, "c-2_")) == [2]
    assert groups(clustered, compare("like", t, "zebra")) == []
    assert groups(clustered, compare("like", t, "%c")) == list(range(10))
    assert groups(clustered, compare("starts_with", t, "j-9")) == [9]


def test_other_types(clustered: FileTable) -> None:
    fields = fields_of(clustered)
    assert groups(clustered, compare("less", fields["d"], datetime.date(2020, 1, 15))) == [0, 1]
    assert groups(clustered, compare("greater", fields["p"], Decimal("22.40"))) == [9]
    assert groups(clustered, compare("equal", fields["b"], True)) == [5, 6, 7, 8, 9]
    assert groups(clustered, fields["b"].column()) == list(range(10))


def test_nan_may_hide_above_the_maximum(clustered: FileTable) -> None:
    f = fields_of(clustered)["f"]
    # NaN is greater than every number, and statistics leave it out: row 5 must not be lost.
    assert 0 in groups(clustered, compare("greater", f, 1e300))
    assert groups(clustered, compare("less", f, 15.0)) == [0, 1]
    assert groups(clustered, compare("equal", f, 15.0)) == [1]
    assert 0 in groups(clustered, compare("equal", f, math.nan))


def test_casts_that_keep_order(clustered: FileTable) -> None:
    fields = fields_of(clustered)
    wide = Cast(fields["i"].column(), pa.decimal128(20, 2))
    assert groups(clustered, call("less", wide, literal(Decimal("9.50"), pa.decimal128(20, 2)))) == [0]
    moment = Cast(fields["d"].column(), pa.timestamp("us"))
    assert groups(clustered, call("less", moment, literal(datetime.datetime(2020, 1, 3), pa.timestamp("us")))) == [0]
    text = Cast(fields["i"].column(), pa.string())
    assert groups(clustered, call("equal", text, literal("5", pa.string()))) == list(range(10))


def test_what_is_not_understood_reads_everything(clustered: FileTable) -> None:
    i = fields_of(clustered)["i"].column()
    modulo = Call("modulo", (i, literal(2, pa.int64())), pa.int64())
    assert groups(clustered, call("equal", modulo, literal(7, pa.int64()))) == list(range(10))
    other = Field(fields_of(clustered)["i"].id + 1000, "elsewhere", pa.int64())  # type: ignore[arg-type]
    assert groups(clustered, compare("equal", other, 1)) == list(range(10))


def test_files_without_statistics_are_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"i": range(20)}), tmp_path / "a.parquet", row_group_size=GROUP, write_statistics=False)
    table = open_table("t", tmp_path / "a.parquet")
    assert groups(table, compare("equal", fields_of(table)["i"], 500)) == [0, 1]


def test_only_the_pruned_row_groups_and_columns_are_read(clustered: FileTable) -> None:
    fields = fields_of(clustered)
    kept = splits(clustered, [compare("greater", fields["i"], 69)], list(fields.values()))
    metrics = ReadMetrics()
    rows = read_all(clustered, ["t", "i"], only=kept, metrics=metrics)
    assert rows.column("i").to_pylist() == list(range(70, 100))
    assert (metrics.row_groups, metrics.columns, metrics.rows) == (3, {"t", "i"}, 30)
    everything = ReadMetrics()
    read_all(clustered, metrics=everything)
    assert 0 < metrics.bytes < everything.bytes / 4


def test_bytes_of_column_chunks_are_those_of_the_footer_whatever_was_asked_before(tmp_path: Path) -> None:
    pairs = [{"x": row * row, "y": f"{row}"} for row in range(50)]
    pq.write_table(pa.table({"i": range(50), "pair": pairs}), tmp_path / "a.parquet", row_group_size=20)
    table = open_table("t", tmp_path / "a.parquet")
    known = parquet.footer(table.storage, table.files[0])
    leaves = {"i": [0], "pair": [1, 2], "not there": []}
    for _ in range(2):
        for group in (2, 0, 1):
            stored = known.metadata.row_group(group)
            for column, numbers in leaves.items():
                expected = sum(stored.column(number).total_compressed_size for number in numbers)
                assert known.chunk_bytes(group, column) == expected


def test_small_row_groups_are_read_together_and_big_ones_alone(tmp_path: Path) -> None:
    pq.write_table(pa.table({"i": pa.array(range(300_000), pa.int32())}), tmp_path / "a.parquet", row_group_size=50_000)
    pq.write_table(pa.table({"i": pa.array(range(400_000), pa.int32())}), tmp_path / "b.parquet", row_group_size=200_000)
    found = [(split.file, split.pieces, split.rows) for split in splits(open_table("t", tmp_path))]  # type: ignore[union-attr]
    assert found == [
        (0, (0, 1), 100_000),
        (0, (2, 3), 100_000),
        (0, (4, 5), 100_000),
        (1, (0,), 200_000),
        (1, (1,), 200_000),
    ]


def test_tpch_q6_reads_four_columns(tpch: Path) -> None:
    table = open_table("lineitem", tpch / "lineitem")
    metrics = ReadMetrics()
    read_all(table, ["l_extendedprice", "l_discount", "l_shipdate", "l_quantity"], metrics=metrics)
    assert metrics.columns == {"l_extendedprice", "l_discount", "l_shipdate", "l_quantity"}
    key = fields_of(table)["l_orderkey"]
    kept = splits(table, [compare("less", key, 100)], [key])
    assert [split.file for split in kept] == [0]  # type: ignore[union-attr]


def test_no_matching_row_is_ever_pruned(tmp_path: Path) -> None:
    """Random row groups and predicates of two kinds of values, against a scan of the values themselves."""
    draw = random.Random(20261122)
    for case in range(60):
        kind, values = draw.choice(
            [
                (pa.int64(), [draw.choice([None, *range(-3, 4)]) for _ in range(24)]),
                (pa.string(), [draw.choice([None, "", "a", "ab", "b", "ba", "é", "z"]) for _ in range(24)]),
                (pa.float64(), [draw.choice([None, math.nan, -0.0, 0.0, 1.5, -2.0, math.inf]) for _ in range(24)]),
            ]
        )
        path = tmp_path / f"{case}.parquet"
        pq.write_table(pa.table({"v": pa.array(values, kind)}), path, row_group_size=4)
        table = open_table("t", path)
        field = fields_of(table)["v"]
        for name in ("equal", "less", "less_equal", "greater", "greater_equal", "not_equal"):
            constant = draw.choice([value for value in values if value is not None] or [0])
            kept = set(groups(table, compare(name, field, constant)))
            matching = {row // 4 for row, value in enumerate(values) if value is not None and _holds(name, value, constant)}
            assert matching <= kept, (case, name, constant, values)


def _holds(name: str, left: object, right: object) -> bool:
    a, b = (_order(left), _order(right))
    return {
        "equal": a == b,
        "not_equal": a != b,
        "less": a < b,
        "less_equal": a <= b,
        "greater": a > b,
        "greater_equal": a >= b,
    }[name]


def _order(value: object) -> tuple[int, object]:
    """NaN is equal to itself and above every number."""
    return (1, 0) if isinstance(value, float) and math.isnan(value) else (0, value)


def test_long_lists_are_cheap(clustered: FileTable) -> None:
    i = fields_of(clustered)["i"]
    options = tuple(Literal(pa.scalar(value, pa.int64())) for value in [*range(1000, 50_000), 42, None])
    found = InList(i.column(), options)
    assert groups(clustered, found) == [4]
    # Each further row group costs a bisection, not another pass over the list.
    start = time.perf_counter()
    for _ in range(20):
        groups(clustered, found)
    assert time.perf_counter() - start < 1.0


def test_lists_with_nan_read_everything(clustered: FileTable) -> None:
    f = fields_of(clustered)["f"]
    options = tuple(Literal(pa.scalar(value, pa.float64())) for value in (15.0, math.nan))
    assert groups(clustered, InList(f.column(), options)) == list(range(10))
    assert groups(clustered, InList(f.column(), options[:1])) == [1]


def test_row_groups_of_a_small_table_are_dealt_evenly(tmp_path: Path) -> None:
    pq.write_table(pa.table({"i": pa.array(range(160_000), pa.int32())}), tmp_path / "a.parquet", row_group_size=40_000)
    assert [split.rows for split in splits(open_table("t", tmp_path / "a.parquet"))] == [80_000] * 2
    pq.write_table(pa.table({"i": pa.array(range(60_000), pa.int32())}), tmp_path / "b.parquet", row_group_size=10_000)
    assert [split.rows for split in splits(open_table("t", tmp_path / "b.parquet"))] == [60_000]

"""Stored types are brought to the engine's, and the schemas of several files to one."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import splits
from flightmesh.errors import InvalidInput
from tests.catalog.reading import compare, fields_of, read_all

D = Decimal


def write(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


TEXTS = ["a", None, "b"]
NORMALISED = [
    (pa.array(TEXTS, pa.large_string()), pa.string(), TEXTS),
    (pa.array(TEXTS, pa.string_view()), pa.string(), TEXTS),
    (pa.array(TEXTS).dictionary_encode(), pa.string(), TEXTS),
    (pa.array([b"a", None], pa.large_binary()), pa.binary(), [b"a", None]),
    (pa.array([b"ab", None], pa.binary(2)), pa.binary(), [b"ab", None]),
    (pa.nulls(3), pa.int32(), [None, None, None]),
    (pa.array([D("1.50"), None], pa.decimal32(5, 2)), pa.decimal128(5, 2), [D("1.50"), None]),
    (pa.array([D("1.50"), None], pa.decimal64(15, 2)), pa.decimal128(15, 2), [D("1.50"), None]),
    (pa.array([D("1.50")], pa.decimal256(50, 2)), pa.decimal128(38, 2), [D("1.50")]),
    (pa.array([1.5, None], pa.float16()), pa.float32(), [1.5, None]),
    (pa.array([datetime.date(2020, 2, 3)], pa.date64()), pa.date32(), [datetime.date(2020, 2, 3)]),
    (pa.array([datetime.time(1, 2, 3)], pa.time32("s")), pa.time64("us"), [datetime.time(1, 2, 3)]),
    (pa.array([10**9 + 1], pa.timestamp("ns")), pa.timestamp("us"), [datetime.datetime(1970, 1, 1, 0, 0, 1)]),
    (pa.array([1], pa.timestamp("s")), pa.timestamp("us"), [datetime.datetime(1970, 1, 1, 0, 0, 1)]),
    (pa.array([[1, 2], None], pa.large_list(pa.int64())), pa.list_(pa.int64()), [[1, 2], None]),
    (pa.array([{"a": "x"}], pa.struct([("a", pa.large_string())])), pa.struct([("a", pa.string())]), [{"a": "x"}]),
    (pa.array([7, 2**64 - 1], pa.uint64()), pa.uint64(), [7, 2**64 - 1]),
]


@pytest.mark.parametrize(("stored", "kind", "values"), NORMALISED, ids=[str(case[0].type) for case in NORMALISED])
@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_normalised(tmp_path: Path, format: str, stored: pa.Array, kind: pa.DataType, values: list[object]) -> None:
    path = tmp_path / f"a.{format}"
    if format == "parquet":
        write(path, v=stored, other=pa.array(range(len(stored))))
    else:
        table = pa.table({"v": stored, "other": range(len(stored))})
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    table = open_table("t", path)
    assert table.schema.field("v").type == kind
    assert read_all(table, ["v"]).column("v").to_pylist() == values


UNIFIED = [
    (pa.array([1], pa.int32()), pa.array([2**40], pa.int64()), pa.int64(), [1, 2**40]),
    (pa.array([1], pa.int8()), pa.array([200], pa.uint8()), pa.int16(), [1, 200]),
    (pa.array([-1], pa.int64()), pa.array([2**64 - 1], pa.uint64()), pa.decimal128(20, 0), [D(-1), D(2**64 - 1)]),
    (pa.array([1], pa.int64()), pa.array([0.5], pa.float32()), pa.float64(), [1.0, 0.5]),
    (pa.array([1], pa.int32()), pa.array([D("0.25")], pa.decimal128(5, 2)), pa.decimal128(12, 2), [D("1.00"), D("0.25")]),
    (
        pa.array([D("1.5")], pa.decimal128(10, 1)),
        pa.array([D("0.125")], pa.decimal128(4, 3)),
        pa.decimal128(12, 3),
        [D("1.500"), D("0.125")],
    ),
    (pa.nulls(1), pa.array(["x"]), pa.string(), [None, "x"]),
    (pa.array(["x"]).dictionary_encode(), pa.array(["y"], pa.large_string()), pa.string(), ["x", "y"]),
    (
        pa.array([datetime.date(2020, 1, 1)]),
        pa.array([datetime.datetime(2020, 1, 1, 5)], pa.timestamp("ms")),
        pa.timestamp("us"),
        [datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 1, 5)],
    ),
]


@pytest.mark.parametrize(("first", "second", "kind", "values"), UNIFIED, ids=[f"{c[0].type}+{c[1].type}" for c in UNIFIED])
def test_compatible_types_are_unified(
    tmp_path: Path, first: pa.Array, second: pa.Array, kind: pa.DataType, values: list[object]
) -> None:
    for one, other in ((first, second), (second, first)):
        write(tmp_path / "a.parquet", v=one)
        write(tmp_path / "b.parquet", v=other)
        table = open_table("t", tmp_path)
        assert table.schema.field("v").type == kind
        got = read_all(table).column("v").to_pylist()
        assert got == (values if one is first else values[::-1])


def test_missing_columns_are_null(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", i=pa.array([1, 2]), a=pa.array(["x", "y"]))
    write(tmp_path / "b.parquet", b=pa.array([1.5]), i=pa.array([3]))
    table = open_table("t", tmp_path)
    assert table.schema.names == ["i", "a", "b"]
    expected = duckdb.sql(f"select i, a, b from read_parquet('{tmp_path}/*.parquet', union_by_name = true)").fetchall()
    assert [tuple(row.values()) for row in read_all(table).to_pylist()] == expected
    assert read_all(table, ["b"]).column("b").to_pylist() == [None, None, 1.5]
    fields = fields_of(table)
    # The file without the column has only NULLs there: no comparison is true in it.
    assert [split.file for split in splits(table, [compare("less", fields["b"], 9.0)], list(fields.values()))] == [1]  # type: ignore[union-attr]


def test_what_may_be_null(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("sure", pa.int64(), False), pa.field("other", pa.int64(), False)])
    pq.write_table(pa.table({"sure": [1], "other": [1]}, schema=schema), tmp_path / "a.parquet")
    pq.write_table(pa.table({"sure": [1]}, schema=pa.schema([schema.field("sure")])), tmp_path / "b.parquet")
    table = open_table("t", tmp_path)
    assert [entry.nullable for entry in table.schema] == [False, True]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array([1]), pa.array(["x"])),
        (pa.array([True]), pa.array([1])),
        (pa.array([datetime.date(2020, 1, 1)]), pa.array([1])),
        (pa.array([1], pa.timestamp("us")), pa.array([1], pa.timestamp("us", "UTC"))),
        (pa.array([[1]]), pa.array([1])),
    ],
)
def test_types_that_do_not_fit_name_column_and_files(tmp_path: Path, first: pa.Array, second: pa.Array) -> None:
    write(tmp_path / "a.parquet", ok=pa.array([1]), price=first)
    write(tmp_path / "b.parquet", ok=pa.array([1]), price=pa.nulls(1))
    write(tmp_path / "c.parquet", ok=pa.array([1]), price=second)
    with pytest.raises(InvalidInput) as caught:
        open_table("t", tmp_path)
    for part in ("'price'", "a.parquet", "c.parquet", str(first.type), str(second.type)):
        assert part in caught.value.message
    assert "b.parquet" not in caught.value.message
    assert caught.value.hint


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "a.parquet")
    with pytest.raises(InvalidInput, match="two columns are named 'a'"):
        open_table("t", tmp_path)


def test_a_dot_in_a_name_and_nested_columns(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", **{"a.b": pa.array([1, 2]), "s": pa.array([{"x": 1}, None]), "c": pa.array(["u", "v"])})
    table = open_table("t", tmp_path)
    assert read_all(table, ["c", "a.b"]).to_pylist() == [{"c": "u", "a.b": 1}, {"c": "v", "a.b": 2}]
    assert read_all(table, ["s"]).to_pylist() == [{"s": {"x": 1}}, {"s": None}]


def test_the_stock_generators_files(tpch: Path) -> None:
    stored = pq.read_schema(tpch / "lineitem" / "lineitem.1.parquet")
    assert pa.string_view() in stored.types, "the generator no longer writes what this test is about"
    table = open_table("lineitem", tpch / "lineitem")
    assert set(table.schema.types) == {pa.int64(), pa.int32(), pa.decimal128(15, 2), pa.string(), pa.date32()}
    columns = ["l_shipmode", "l_orderkey", "l_extendedprice", "l_comment", "l_shipdate"]
    query = f"select {', '.join(columns)} from '{tpch}/lineitem/*.parquet' order by all"
    expected = duckdb.sql(query).to_arrow_table()
    got = read_all(table, columns).sort_by([(name, "ascending") for name in columns])
    assert got.to_pylist() == expected.to_pylist()

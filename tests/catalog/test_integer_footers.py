"""Footers in which decimals are integers: only the columns that were named, and the file's bytes read as they lie there."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.footers import Footer
from flightmesh.catalog.integer_footers import with_integers
from flightmesh.catalog.thrift import (
    BINARY,
    BYTE,
    DOUBLE,
    I64,
    LIST,
    STRUCT,
    TRUE,
    read_head,
    read_integer,
    skip,
    write_head,
    write_integer,
)

SHORT, LONG = pa.decimal128(7, 2), pa.decimal128(18, 4)
STRUCTS = pa.struct([("short", SHORT), ("n", pa.int8())])
ROWS = pa.table(
    {
        "short": pa.array([Decimal("1.25"), None, Decimal("-99999.99")], SHORT),
        "long": pa.array([Decimal("-1.0001"), Decimal("99999999999999.9999"), None], LONG),
        "wide": pa.array([Decimal("1.5"), None, Decimal("-3")], pa.decimal128(30, 2)),
        "in it": pa.array([{"short": Decimal("1.5"), "n": 1}, None, {"short": None, "n": 2}], STRUCTS),
        "list": pa.array([[Decimal("1.5")], None, []], pa.list_(SHORT)),
        "n": pa.array([1, 2, None], pa.int64()),
        "text": pa.array(["a", None, "b"]).dictionary_encode(),
        "took": pa.array([1, 2, 3], pa.duration("us")),
    }
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.parquet"
    pq.write_table(ROWS, path, store_decimal_as_integer=True, row_group_size=2)
    return path


def test_named_columns_are_integers_and_nothing_else_changes(path: Path) -> None:
    known = pq.read_metadata(path)
    made = with_integers(known, {"short", "long", "in it", "list", "element", "n", "nobody"})
    assert (made.num_rows, made.num_row_groups, made.created_by) == (known.num_rows, known.num_row_groups, known.created_by)
    assert made.metadata == known.metadata
    assert made.row_group(1).to_dict()["num_rows"] == 1
    got = pq.ParquetFile(path, metadata=made).read()
    assert got.schema.field("short").type == pa.int32()
    assert got.schema.field("long").type == pa.int64()
    assert got.column("short").to_pylist() == [125, None, -9999999]
    assert got.column("long").to_pylist() == [-10001, 999999999999999999, None]
    others = [name for name in ROWS.schema.names if name not in ("short", "long")]
    assert got.select(others).to_pylist() == ROWS.select(others).to_pylist()
    assert got.select(others).schema.types == ROWS.select(others).schema.types


def test_a_column_inside_another_of_the_same_name_is_left_alone(path: Path) -> None:
    got = pq.ParquetFile(path, metadata=with_integers(pq.read_metadata(path), {"short"})).read()
    assert got.schema.field("in it").type.field("short").type == SHORT
    assert got.schema.field("long").type == LONG


def test_a_footer_knows_which_decimals_are_stored_as_integers(path: Path, tmp_path: Path) -> None:
    known = Footer(pq.read_metadata(path), pq.read_schema(path))
    assert known.short_decimals == {"short": pa.decimal64(7, 2), "long": pa.decimal64(18, 4)}
    assert known.with_integers.schema.to_arrow_schema().field("short").type == pa.int32()
    pq.write_table(ROWS, tmp_path / "bytes.parquet")  # in so many bytes as the digits take
    as_bytes = Footer(pq.read_metadata(tmp_path / "bytes.parquet"), pq.read_schema(tmp_path / "bytes.parquet"))
    assert as_bytes.short_decimals == {}
    assert as_bytes.with_integers is as_bytes.metadata


def test_footers_of_many_columns(tmp_path: Path) -> None:
    """A list of more than 14 elements says its length in another way."""
    rows = pa.table({f"c{number}": pa.array([Decimal(number), None], pa.decimal128(9, 0)) for number in range(300)})
    pq.write_table(rows, tmp_path / "a.parquet", store_decimal_as_integer=True)
    known = Footer(pq.read_metadata(tmp_path / "a.parquet"), pq.read_schema(tmp_path / "a.parquet"))
    got = pq.ParquetFile(tmp_path / "a.parquet", metadata=known.with_integers).read()
    assert got.schema.types == [pa.int32()] * 300
    assert got.to_pylist() == [{f"c{n}": n for n in range(300)}, {f"c{n}": None for n in range(300)}]


@pytest.mark.parametrize("number", [0, 1, -1, 63, 64, -64, -65, 1 << 31, -(1 << 63), (1 << 63) - 1])
def test_integers_there_and_back(number: int) -> None:
    written = write_integer(number)
    assert read_integer(b"x" + written, 1) == (number, 1 + len(written))
    assert skip(written, 0, I64) == len(written)


@pytest.mark.parametrize(("number", "before"), [(1, 0), (15, 0), (16, 0), (40, 24), (3, 7)])
def test_heads_of_fields_there_and_back(number: int, before: int) -> None:
    written = write_head(number, BINARY, before)
    assert read_head(written, 0, before) == (number, BINARY, len(written))


def test_values_are_passed_over() -> None:
    twenty = bytes([0xF0 | TRUE, 20]) + bytes([1] * 20)
    nested = b"".join((write_head(1, LIST, 0), twenty, write_head(9, TRUE, 1), write_head(10, DOUBLE, 9), bytes(8), b"\0"))
    for kind, value in {BYTE: b"\7", BINARY: b"\3abc", LIST: twenty, STRUCT: nested, TRUE: b"", DOUBLE: bytes(8)}.items():
        assert skip(value + b"rest", 0, kind) == len(value)
    with pytest.raises(ValueError, match="Thrift kind 14"):
        skip(b"", 0, 14)

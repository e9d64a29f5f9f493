"""Texts that repeat leave Parquet files as plain texts, or as dictionaries of them; decimals in 128 bits or in 64."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.normalise import Form
from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import read_split, splits
from flightmesh.catalog.table import Table

ROWS = pa.table(
    {
        "many": [None if row % 11 == 0 else f"value {row % 5}" for row in range(5000)],
        "once": [f"value {row}" for row in range(5000)],
        "n": range(5000),
    }
)


def read(table: Table, form: Form) -> list[pa.RecordBatch]:
    names = ["n", "once", "many"]
    found = splits(table)
    return [b for split in found for b in read_split(table, split, names, morsel_rows=700, form=form)]


def types(batches: list[pa.RecordBatch]) -> set[tuple[pa.DataType, ...]]:
    return {tuple(batch.schema.types) for batch in batches}


def test_dictionaries_only_where_they_are_asked_for(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "a.parquet", row_group_size=1500)
    table = open_table("t", tmp_path / "a.parquet")
    plain, encoded = read(table, Form.PLAIN), read(table, Form.COMPACT)
    assert types(plain) == {(pa.int64(), pa.string(), pa.string())}
    assert types(encoded) == {(pa.int64(), pa.string(), pa.dictionary(pa.int32(), pa.string()))}
    assert [batch.to_pylist() for batch in encoded] == [batch.to_pylist() for batch in plain]
    assert [row for batch in plain for row in batch.to_pylist()] == ROWS.select(["n", "once", "many"]).to_pylist()


def test_texts_of_another_type_are_cast(tmp_path: Path) -> None:
    wide = ROWS.cast(pa.schema([("many", pa.large_string()), ("once", pa.large_string()), ("n", pa.int64())]))
    pq.write_table(wide, tmp_path / "a.parquet")
    got = read(open_table("t", tmp_path / "a.parquet"), Form.COMPACT)
    assert types(got) <= {(pa.int64(), pa.string(), kind) for kind in (pa.string(), pa.dictionary(pa.int32(), pa.string()))}
    assert [row["many"] for batch in got for row in batch.to_pylist()] == ROWS.column("many").to_pylist()


def test_arrow_files_give_plain_texts(tmp_path: Path) -> None:
    """Their dictionaries are not checked until they are decoded: a number past the end is the reader's error to find."""
    encoded = ROWS.set_column(0, "many", ROWS.column("many").dictionary_encode())
    with ipc.new_file(tmp_path / "a.arrow", encoded.schema) as writer:
        writer.write_table(encoded)
    got = read(open_table("t", tmp_path / "a.arrow"), Form.COMPACT)
    assert types(got) == {(pa.int64(), pa.string(), pa.string())}


AMOUNTS = pa.table(
    {
        "small": pa.array([None if i % 5 == 0 else Decimal(i - 50).scaleb(-2) for i in range(100)], pa.decimal128(7, 2)),
        "large": pa.array([Decimal(10**17 + i).scaleb(-3) * (-1) ** i for i in range(100)], pa.decimal128(18, 3)),
        "huge": pa.array([Decimal(i) for i in range(100)], pa.decimal128(20, 0)),
    }
)


def amounts(table: Table, form: Form) -> list[pa.RecordBatch]:
    names = AMOUNTS.schema.names
    return [b for split in splits(table) for b in read_split(table, split, names, morsel_rows=30, form=form)]


@pytest.mark.parametrize("as_integers", [True, False])
def test_decimals_in_64_bits_where_the_file_has_integers(as_integers: bool, tmp_path: Path) -> None:
    pq.write_table(AMOUNTS, tmp_path / "a.parquet", row_group_size=45, store_decimal_as_integer=as_integers)
    table = open_table("t", tmp_path / "a.parquet")
    planned = tuple(AMOUNTS.schema.types)
    assert tuple(table.schema.types) == planned
    for _ in range(2):
        plain, compact = amounts(table, Form.PLAIN), amounts(table, Form.COMPACT)
        short = (pa.decimal64(7, 2), pa.decimal64(18, 3), pa.decimal128(20, 0))
        assert types(plain) == {planned}
        assert types(compact) == {short if as_integers else planned}
        for batches in (plain, compact):
            for batch in batches:
                batch.validate(full=True)
            assert [row for batch in batches for row in batch.to_pylist()] == AMOUNTS.to_pylist()


def test_decimals_of_another_type_than_the_table_has_are_cast(tmp_path: Path) -> None:
    """Two files of one table, with other digits each: the table's type has room for both."""
    other = AMOUNTS.cast(
        pa.schema([("small", pa.decimal128(9, 4)), ("large", pa.decimal128(18, 3)), ("huge", pa.decimal128(20, 0))])
    )
    for name, rows in (("a", AMOUNTS), ("b", other)):
        pq.write_table(rows, tmp_path / f"{name}.parquet", store_decimal_as_integer=True)
    table = open_table("t", tmp_path)
    assert table.schema.field("small").type == pa.decimal128(9, 4)
    for form in Form:
        batches = amounts(table, form)
        kinds = {batch.schema.field("small").type for batch in batches}
        assert kinds == {pa.decimal128(9, 4)} | ({pa.decimal64(9, 4)} if form is Form.COMPACT else set())
        assert [row for batch in batches for row in batch.to_pylist()] == 2 * AMOUNTS.to_pylist()

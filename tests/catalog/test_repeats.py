"""Texts that repeat leave Parquet files as plain texts, or as dictionaries of them when that is asked for."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from flightmesh.catalog.normalise import Repeats
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


def read(table: Table, repeats: Repeats) -> list[pa.RecordBatch]:
    names = ["n", "once", "many"]
    found = splits(table)
    return [b for split in found for b in read_split(table, split, names, morsel_rows=700, repeats=repeats)]


def types(batches: list[pa.RecordBatch]) -> set[tuple[pa.DataType, ...]]:
    return {tuple(batch.schema.types) for batch in batches}


def test_dictionaries_only_where_they_are_asked_for(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "a.parquet", row_group_size=1500)
    table = open_table("t", tmp_path / "a.parquet")
    plain, encoded = read(table, Repeats.PLAIN), read(table, Repeats.DICTIONARIES)
    assert types(plain) == {(pa.int64(), pa.string(), pa.string())}
    assert types(encoded) == {(pa.int64(), pa.string(), pa.dictionary(pa.int32(), pa.string()))}
    assert [batch.to_pylist() for batch in encoded] == [batch.to_pylist() for batch in plain]
    assert [row for batch in plain for row in batch.to_pylist()] == ROWS.select(["n", "once", "many"]).to_pylist()


def test_texts_of_another_type_are_cast(tmp_path: Path) -> None:
    wide = ROWS.cast(pa.schema([("many", pa.large_string()), ("once", pa.large_string()), ("n", pa.int64())]))
    pq.write_table(wide, tmp_path / "a.parquet")
    got = read(open_table("t", tmp_path / "a.parquet"), Repeats.DICTIONARIES)
    assert types(got) <= {(pa.int64(), pa.string(), kind) for kind in (pa.string(), pa.dictionary(pa.int32(), pa.string()))}
    assert [row["many"] for batch in got for row in batch.to_pylist()] == ROWS.column("many").to_pylist()


def test_arrow_files_give_plain_texts(tmp_path: Path) -> None:
    """Their dictionaries are not checked until they are decoded: a number past the end is the reader's error to find."""
    encoded = ROWS.set_column(0, "many", ROWS.column("many").dictionary_encode())
    with ipc.new_file(tmp_path / "a.arrow", encoded.schema) as writer:
        writer.write_table(encoded)
    got = read(open_table("t", tmp_path / "a.arrow"), Repeats.DICTIONARIES)
    assert types(got) == {(pa.int64(), pa.string(), pa.string())}

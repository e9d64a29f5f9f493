"""Partition columns from key=value folders."""

from __future__ import annotations

import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import splits
from flightmesh.catalog.statistics import statistics
from flightmesh.errors import InvalidInput
from flightmesh.expression.nodes import InList, Literal
from tests.catalog.reading import call, compare, fields_of, read_all


def put(path: Path, *values: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"v": pa.array(values, pa.int64())}), path)


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    for year in (2012, 2013):
        for month in (1, 12):
            put(tmp_path / f"year={year}" / f"month={month}" / "part.parquet", year * 100 + month)
    return tmp_path


def test_values_are_appended_and_typed(sales: Path) -> None:
    table = open_table("sales", sales)
    assert table.partition_columns == ("year", "month")
    assert table.schema == pa.schema(
        [("v", pa.int64()), pa.field("year", pa.int64(), False), pa.field("month", pa.int64(), False)]
    )
    rows = read_all(table, ["month", "v", "year"])
    assert all(row["v"] == row["year"] * 100 + row["month"] for row in rows.to_pylist())
    expected = duckdb.sql(f"select month, v, year from '{sales}/**/*.parquet' order by v").fetchall()
    assert sorted((tuple(row.values()) for row in rows.to_pylist()), key=lambda row: row[1]) == expected


def test_only_partition_columns(sales: Path) -> None:
    rows = read_all(open_table("sales", sales), ["year"])
    assert sorted(rows.column("year").to_pylist()) == [2012, 2012, 2013, 2013]


def test_types_dates_text_and_decoding(tmp_path: Path) -> None:
    put(tmp_path / "d=2020-01-02" / "o=New%20York" / "z=007" / "a.parquet", 1)
    put(tmp_path / "d=2021-03-04" / "o=a%2Fb" / "z=8" / "a.parquet", 2)
    table = open_table("t", tmp_path)
    assert [table.schema.field(name).type for name in ("d", "o", "z")] == [pa.date32(), pa.string(), pa.string()]
    rows = sorted((row["v"], row["d"], row["o"], row["z"]) for row in read_all(table).to_pylist())
    assert rows == [(1, datetime.date(2020, 1, 2), "New York", "007"), (2, datetime.date(2021, 3, 4), "a/b", "8")]


def test_the_default_partition_is_null(tmp_path: Path) -> None:
    put(tmp_path / "k=1" / "a.parquet", 1)
    put(tmp_path / "k=__HIVE_DEFAULT_PARTITION__" / "a.parquet", 2)
    table = open_table("t", tmp_path)
    assert table.schema.field("k") == pa.field("k", pa.int64(), True)
    assert sorted(read_all(table).to_pylist(), key=lambda row: row["v"]) == [{"v": 1, "k": 1}, {"v": 2, "k": None}]
    fields = fields_of(table)
    assert len(splits(table, [call("is_null", fields["k"].column())], list(fields.values()))) == 1
    assert statistics(table).columns["k"].null_count == 1


def test_a_key_that_files_repeat_is_taken_from_the_path(tmp_path: Path) -> None:
    (tmp_path / "k=5").mkdir()
    pq.write_table(pa.table({"k": ["wrong"], "v": [1]}), tmp_path / "k=5" / "a.parquet")
    assert read_all(open_table("t", tmp_path)).to_pylist() == [{"v": 1, "k": 5}]


def test_pruning_by_partition_opens_only_what_is_needed(sales: Path) -> None:
    table = open_table("sales", sales)
    fields = fields_of(table)
    year, month = fields["year"], fields["month"]

    def kept(*filters: object) -> list[tuple[int, int]]:
        found = splits(table, filters, list(fields.values()))  # type: ignore[arg-type]
        return [tuple(value.as_py() for value in table.files[split.file].partition) for split in found]  # type: ignore[union-attr, misc]

    assert kept(compare("equal", year, 2013)) == [(2013, 1), (2013, 12)]
    assert kept(compare("equal", year, 2013), compare("less", month, 6)) == [(2013, 1)]
    assert kept(call("or", compare("equal", year, 2012), compare("greater", month, 6))) == [(2012, 1), (2012, 12), (2013, 12)]
    assert kept(InList(month.column(), (Literal(pa.scalar(12, pa.int64())), Literal(pa.scalar(3, pa.int64()))))) == [
        (2012, 12),
        (2013, 12),
    ]
    assert kept(compare("greater", year, 2013)) == []


@pytest.mark.parametrize("format", ["csv", "jsonl", "arrow"])
def test_partitions_of_other_formats(tmp_path: Path, format: str) -> None:
    for key in (1, 2):
        folder = tmp_path / f"k={key}"
        folder.mkdir()
        if format == "arrow":
            with pa.ipc.new_file(folder / "a.arrow", pa.schema([("v", pa.int64())])) as writer:
                writer.write_table(pa.table({"v": [key * 10]}))
        else:
            (folder / f"a.{format}").write_text(f"v\n{key * 10}\n" if format == "csv" else f'{{"v": {key * 10}}}\n')
    table = open_table("t", tmp_path)
    assert sorted(row["v"] for row in read_all(table).to_pylist() if row["v"] == row["k"] * 10) == [10, 20]
    assert read_all(table, ["k"]).column("k").to_pylist() == [1, 2]
    fields = fields_of(table)
    kept = splits(table, [compare("equal", fields["k"], 2)], list(fields.values()))
    assert read_all(table, only=kept).to_pylist() == [{"v": 20, "k": 2}]


def test_different_keys_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "k=1" / "a.parquet", 1)
    put(tmp_path / "j=1" / "a.parquet", 1)
    with pytest.raises(InvalidInput, match=r"partition keys \(j\).*has \(k\)") as caught:
        open_table("t", tmp_path)
    assert caught.value.hint


def test_hive_partitioning_can_be_turned_off(sales: Path) -> None:
    table = open_table("sales", sales, options={"hive_partitioning": "false", "union_by_name": "true"})
    assert table.schema.names == ["v"]
    assert read_all(table).num_rows == 4

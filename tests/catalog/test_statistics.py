"""Statistics against the data (as DuckDB sees it), and that they cost nothing the second time."""

from __future__ import annotations

import datetime
import os
import random
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog import statistics as statistics_module
from flightmesh.catalog.distinct import Sample, estimate_distinct
from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.open import open_table
from flightmesh.catalog.pages import DictionaryPage, read_dictionary_header
from flightmesh.catalog.statistics import statistics
from flightmesh.catalog.table import TableStatistics


def truth(files: str, columns: list[str]) -> dict[str, tuple[object, ...]]:
    """Minimum, maximum, NULLs and distinct values of each column, by DuckDB."""
    parts = ", ".join(f"min({c}), max({c}), count(*) - count({c}), count(distinct {c})" for c in columns)
    row = duckdb.sql(f"select {parts} from '{files}'").fetchall()[0]
    return {column: row[4 * number : 4 * number + 4] for number, column in enumerate(columns)}


@pytest.mark.parametrize("name", ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"])
def test_tpch(tpch: Path, name: str) -> None:
    table = open_table(name, tpch / name)
    found = statistics(table)
    files = f"{tpch}/{name}/*.parquet"
    assert found.rows == duckdb.sql(f"select count(*) from '{files}'").fetchall()[0][0]
    assert found.bytes == sum(path.stat().st_size for path in (tpch / name).iterdir())
    for column, (low, high, nulls, distinct) in truth(files, table.schema.names).items():
        known = found.columns[column]
        assert known.minimum is not None
        assert known.maximum is not None
        assert known.minimum.type == table.schema.field(column).type
        assert known.null_count == nulls
        if isinstance(low, str) and isinstance(high, str):
            # Writers cut long texts: bounds may be wider.
            assert known.minimum.as_py() <= low
            assert known.maximum.as_py() >= high
        else:
            assert (known.minimum.as_py(), known.maximum.as_py()) == (low, high)
        assert known.distinct is not None
        assert isinstance(distinct, int)
        assert distinct / 2.5 <= known.distinct <= distinct * 2.5, column


def test_keys_are_seen_as_keys(tpch: Path) -> None:
    for name, key in (("customer", "c_custkey"), ("orders", "o_orderkey"), ("part", "p_partkey"), ("nation", "n_nationkey")):
        found = statistics(open_table(name, tpch / name))
        assert found.columns[key].distinct == found.rows
    flags = statistics(open_table("lineitem", tpch / "lineitem")).columns
    assert [flags[name].distinct for name in ("l_returnflag", "l_linestatus", "l_shipmode", "l_linenumber")] == [3, 2, 7, 7]


def test_distinct_estimates_over_shapes_of_data(tmp_path: Path) -> None:
    draw = random.Random(7)
    rows = 60_000
    columns = {
        "unique": list(range(rows)),
        "few": [draw.randrange(10) for _ in range(rows)],
        "sparse": [draw.randrange(1000) * 10**12 for _ in range(rows)],
        "clustered": [row // 40 for row in range(rows)],
        "text": [f"t{draw.randrange(5000)}" for _ in range(rows)],
        "own_text": [f"key-{row:08}-{draw.random()}" for row in range(rows)],
        "halfnull": [None if row % 2 else draw.randrange(500) * 7919 for row in range(rows)],
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", row_group_size=10_000)
    found = statistics(open_table("t", tmp_path / "a.parquet"))
    for name, values in columns.items():
        real = len({value for value in values if value is not None})
        estimate = found.columns[name].distinct
        assert estimate is not None
        assert real / 1.5 <= estimate <= real * 1.5, (name, real, estimate)
    assert found.columns["halfnull"].null_count == rows // 2


def test_without_dictionaries_a_sample_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"v": [row % 17 * 1.5 for row in range(5000)]}), tmp_path / "a.parquet", use_dictionary=False)
    assert statistics(open_table("t", tmp_path / "a.parquet")).columns["v"].distinct == 17


def test_without_statistics_bounds_are_unknown(tmp_path: Path) -> None:
    pq.write_table(pa.table({"v": range(100)}), tmp_path / "a.parquet", write_statistics=False)
    known = statistics(open_table("t", tmp_path / "a.parquet")).columns["v"]
    assert (known.minimum, known.maximum, known.null_count) == (None, None, None)
    assert known.distinct == 100


def test_types_of_bounds(tmp_path: Path) -> None:
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 678)
    table = pa.table(
        {
            "unsigned": pa.array([1, 2**64 - 1], pa.uint64()),
            "at": pa.array([moment, None], pa.timestamp("ns")),
            "zoned": pa.array([0, 10**6], pa.timestamp("us", "Europe/Oslo")),
            "clock": pa.array([datetime.time(1), datetime.time(2)], pa.time32("ms")),
            "empty": pa.nulls(2),
            "nan": pa.array([float("nan"), float("nan")]),
            "nested": pa.array([[1], [2]]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found = statistics(open_table("t", tmp_path / "a.parquet")).columns
    assert (found["unsigned"].maximum.as_py(), found["unsigned"].minimum.as_py()) == (2**64 - 1, 1)  # type: ignore[union-attr]
    assert (found["at"].minimum, found["at"].null_count) == (pa.scalar(moment, pa.timestamp("us")), 1)
    assert found["zoned"].maximum == pa.scalar(10**6, pa.timestamp("us", "UTC"))
    assert found["clock"].maximum == pa.scalar(datetime.time(2), pa.time64("us"))
    assert (found["empty"].minimum, found["empty"].null_count) == (None, 2)
    assert found["nan"].minimum is None
    assert found["nested"].minimum is None


def test_several_files_and_missing_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([1, 2], pa.int32()), "b": ["x", None]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": pa.array([2**40], pa.int64())}), tmp_path / "2.parquet")
    found = statistics(open_table("t", tmp_path))
    assert (found.rows, found.columns["a"].maximum, found.columns["a"].minimum) == (3, pa.scalar(2**40), pa.scalar(1))
    assert (found.columns["b"].null_count, found.columns["b"].maximum) == (2, pa.scalar("x"))


def test_partition_columns(tmp_path: Path) -> None:
    for year in (2011, 2012, 2014):
        (tmp_path / f"y={year}").mkdir()
        pq.write_table(pa.table({"v": [1, 2]}), tmp_path / f"y={year}" / "a.parquet")
    known = statistics(open_table("t", tmp_path)).columns["y"]
    assert (known.minimum, known.maximum, known.null_count, known.distinct) == (pa.scalar(2011), pa.scalar(2014), 0, 3)


def test_text_formats_know_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("v\n1\n")
    assert statistics(open_table("t", tmp_path / "a.csv")) == TableStatistics(None, 4)


def test_the_second_time_nothing_is_read(tpch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = open_table("lineitem", tpch / "lineitem")
    first = statistics(table)
    everything = {name: first.columns[name] for name in first.columns}
    monkeypatch.setattr(statistics_module, "parquet", None)
    again = statistics(open_table("lineitem", tpch / "lineitem"))
    assert again is first
    assert {name: again.columns[name] for name in again.columns} == everything
    best = min(_timed(lambda: statistics(table)) for _ in range(20))
    assert best < 0.005


def _timed(work: object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


def test_a_file_that_changed_has_new_statistics(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"v": [1, 2]}), path)
    assert statistics(open_table("t", path)).columns["v"].maximum == pa.scalar(2)
    pq.write_table(pa.table({"v": [1, 9]}), path)
    os.utime(path, ns=(10**18, 10**18))
    assert statistics(open_table("t", path)).columns["v"].maximum == pa.scalar(9)


def test_memory_tables() -> None:
    memory = MemoryTables()
    draw = random.Random(3)
    values = [None if row % 10 == 0 else draw.randrange(200) for row in range(5000)]
    table = memory.put("t", {"v": values, "u": list(range(5000)), "l": [[1]] * 5000})
    found = statistics(table, memory)
    assert (found.rows, found.bytes) == (5000, table.bytes)
    known = found.columns["v"]
    assert (known.minimum, known.maximum, known.null_count) == (pa.scalar(0), pa.scalar(199), 500)
    assert known.distinct == len({value for value in values if value is not None})
    assert found.columns["u"].distinct == 5000
    assert found.columns["l"].null_count == 0
    assert statistics(table) == TableStatistics(5000, table.bytes)


def test_large_memory_tables_are_sampled() -> None:
    memory = MemoryTables()
    rows = 400_000
    table = memory.put("t", {"few": pa.array([row * 7 % 50 for row in range(rows)]), "own": pa.array(range(rows))})
    found = statistics(table, memory).columns
    assert (found["few"].distinct, found["own"].distinct) == (50, rows)


def test_estimates_keep_their_limits() -> None:
    assert estimate_distinct([Sample(100, 100)], 1000, []) == 1000
    assert estimate_distinct([Sample(1000, 1000)], 1000, []) == 1000
    assert estimate_distinct([Sample(100, 3), Sample(100, 3)], 1000, []) == 3
    assert estimate_distinct([], 1000, []) is None


def test_a_dictionary_that_was_given_up_counts_for_the_rows_it_holds(tmp_path: Path) -> None:
    draw = random.Random(11)
    values = [f"{draw.randrange(8000):040}" for _ in range(50_000)]
    table = pa.table({"v": values})
    pq.write_table(table, tmp_path / "whole.parquet", row_group_size=25_000)
    pq.write_table(
        table, tmp_path / "given_up.parquet", row_group_size=25_000, dictionary_pagesize_limit=100_000, write_batch_size=256
    )
    real = len(set(values))
    for name in ("whole", "given_up"):
        estimate = statistics(open_table("t", tmp_path / f"{name}.parquet")).columns["v"].distinct
        assert estimate is not None
        assert real / 1.5 <= estimate <= real * 1.5, (name, estimate, real)


def test_dictionary_headers() -> None:
    #             type=2      size=400    stored=247  dictionary: values=50, encoding=0
    header = bytes([0x15, 0x04, 0x15, 0xA0, 0x06, 0x15, 0xEE, 0x03, 0x4C, 0x15, 0x64, 0x15, 0x00, 0x00, 0x00])
    assert read_dictionary_header(header) == DictionaryPage(entries=50, size=400)
    assert read_dictionary_header(header[:6]) is None
    assert read_dictionary_header(b"\x15\x00\x15\x10\x15\x10\x00") is None
    assert read_dictionary_header(b"\x1a\x00\x00") is None

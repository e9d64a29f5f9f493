"""Row groups read by way of memory in which their pages are unpacked: the same rows as Arrow gives, and the same errors."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog import packed_pages, unpacked_groups
from flightmesh.catalog.footers import Footer
from flightmesh.catalog.formats.parquet import footer
from flightmesh.catalog.group_footers import GroupFooters, PlacedColumn
from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import read_split, splits
from flightmesh.catalog.table import FileTable
from flightmesh.errors import InputChanged, InvalidInput
from tests.catalog.reading import read_all

ROWS = 3000


def some_rows(seed: int) -> pa.Table:
    draw = random.Random(seed)
    some = range(ROWS)

    def maybe(value: Any) -> Any:
        return None if draw.random() < 0.1 else value

    start = datetime(2020, 1, 1, tzinfo=UTC)
    return pa.table(
        {
            "price": pa.array([draw.randrange(10**7) for _ in some], pa.int64()),
            "key": pa.array([maybe(draw.randrange(10**9)) for _ in some], pa.int64()),
            "few": pa.array([draw.randrange(5) for _ in some], pa.int32()),
            "amount": pa.array([maybe(Decimal(draw.randrange(10**9)) / 100) for _ in some], pa.decimal128(15, 2)),
            "wide": pa.array([Decimal(draw.randrange(10**20)) for _ in some], pa.decimal128(30, 0)),
            "share": pa.array([maybe(draw.randrange(100) / 8) for _ in some], pa.float64()),
            "is": pa.array([maybe(draw.random() < 0.5) for _ in some], pa.bool_()),
            "note": pa.array([maybe(f"note {draw.randrange(10**6)} " * draw.randrange(4)) for _ in some]),
            "word": pa.array([maybe(f"w{draw.randrange(7)}") for _ in some]),
            "kind": pa.array([f"k{draw.randrange(3)}" for _ in some]).dictionary_encode(),
            "at": pa.array(
                [start + timedelta(seconds=draw.randrange(10**8)) for _ in some], pa.timestamp("us", "Europe/Berlin")
            ),
            "took": pa.array([draw.randrange(10**6) for _ in some], pa.duration("us")),
            "list": pa.array([maybe([draw.randrange(10**6) for _ in range(draw.randrange(4))]) for _ in some]),
            "in it": pa.array([maybe({"a": draw.randrange(10**6), "b": f"b{draw.randrange(9)}"}) for _ in some]),
        }
    )


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of row groups that were unpacked; all that have anything to unpack are."""
    monkeypatch.setattr(packed_pages, "LEAST_PAGE", 1)
    monkeypatch.setattr(unpacked_groups, "LEAST_BYTES", 1)
    monkeypatch.setattr(unpacked_groups, "_free", [])
    found: list[int] = []
    filled = unpacked_groups._filled

    def noted(*given: Any) -> Any:
        made = filled(*given)
        if made is not None:
            found.append(given[3])
        return made

    monkeypatch.setattr(unpacked_groups, "_filled", noted)
    return found


def table_of(path: Path) -> FileTable:
    table = open_table("t", path)
    assert isinstance(table, FileTable)
    return table


def in_arrows_way(table: FileTable, monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    with monkeypatch.context() as patched:
        patched.setattr(unpacked_groups, "LEAST_BYTES", 1 << 60)
        return read_all(table)


WRITTEN = {
    "snappy": {},
    "several pages": {"data_page_size": 2000, "dictionary_pagesize_limit": 4000},
    "no dictionaries": {"use_dictionary": False},
    "without Arrow's schema": {"store_schema": False},
    "version 2 pages": {"data_page_version": "2.0", "data_page_size": 2000},
    "checksums": {"write_page_checksum": True},
    "decimals as integers": {"store_decimal_as_integer": True},
    "large row groups": {"row_group_size": 2000},
    "some columns plain": {"compression": {"price": "snappy", "note": "snappy", "list.list.element": "none"}},
}


@pytest.mark.parametrize("written", WRITTEN)
def test_rows_are_those_that_arrow_reads(
    tmp_path: Path, written: str, unpacked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = some_rows(len(written))
    options: dict[str, Any] = {"row_group_size": 1100, **WRITTEN[written]}
    pq.write_table(rows, tmp_path / "a.parquet", **options)
    table = table_of(tmp_path / "a.parquet")
    got = read_all(table, only=one_by_one(table))
    assert got.equals(in_arrows_way(table, monkeypatch))
    assert got.column("price").to_pylist() == rows.column("price").to_pylist()
    groups = pq.read_metadata(tmp_path / "a.parquet").num_row_groups
    assert unpacked == list(range(groups))


def one_by_one(table: FileTable) -> list[Any]:
    """A split for each row group."""
    known = footer(table.storage, table.files[0])
    whole = splits(table)[0]
    return [replace(whole, pieces=(group,), rows=known.rows[group]) for group in range(known.row_groups)]


def test_some_columns_in_any_order(tmp_path: Path, unpacked: list[int]) -> None:
    rows = some_rows(3)
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=1500)
    table = table_of(tmp_path / "a.parquet")
    for columns in (["price"], ["took", "note", "key"], ["in it", "price"], ["at", "kind", "amount", "list"]):
        got = read_all(table, columns, only=one_by_one(table))
        assert got.to_pydict() == read_all(table, only=one_by_one(table)).select(columns).to_pydict()
    assert len(unpacked) == 2 * 8


def test_names_with_dots_beside_columns_in_others(tmp_path: Path, unpacked: list[int]) -> None:
    numbers = [number * 7919 for number in some_numbers()]
    rows = pa.table(
        {
            "p": [{"q": number} for number in numbers],
            "p.q": [{"r": -number} for number in numbers],
            "a": [{"b": number + 1, "c": {"d": "x"}} for number in numbers],
            "a.b": numbers,
            "a.x": [{"y": [number, number]} for number in numbers],
        }
    )
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=1500)
    table = table_of(tmp_path / "a.parquet")
    for columns in (rows.column_names, ["p.q"], ["a.b", "p"], ["a.x", "a"]):
        assert read_all(table, columns, only=one_by_one(table)).to_pydict() == rows.select(columns).to_pydict()
    assert unpacked == [0, 1] * 4


def some_numbers() -> list[int]:
    return random.Random(8).sample(range(10**6), ROWS)


def test_a_footer_that_says_less_than_there_is(tmp_path: Path, unpacked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = some_rows(9).select(["price", "note"])
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=1500)
    table = table_of(tmp_path / "a.parquet")
    monkeypatch.setattr(unpacked_groups, "_most_bytes", lambda chunk: chunk.total_compressed_size)
    assert read_all(table, only=one_by_one(table)).to_pydict() == rows.to_pydict()
    assert unpacked == []


def test_other_codecs_are_read_in_arrows_way(tmp_path: Path, unpacked: list[int]) -> None:
    rows = some_rows(4)
    for codec in ("zstd", "gzip", "none", "lz4"):
        pq.write_table(rows, tmp_path / f"{codec}.parquet", row_group_size=1500, compression=codec)
        table = table_of(tmp_path / f"{codec}.parquet")
        assert read_all(table, only=one_by_one(table)).column("price").to_pylist() == rows.column("price").to_pylist()
    mixed: Any = {"price": "snappy", "key": "zstd"}
    pq.write_table(rows.select(["price", "key"]), tmp_path / "mixed.parquet", row_group_size=1500, compression=mixed)
    table = table_of(tmp_path / "mixed.parquet")
    assert read_all(table, only=one_by_one(table)).to_pydict() == rows.select(["price", "key"]).to_pydict()
    assert unpacked == []
    assert read_all(table, ["price"], only=one_by_one(table)).to_pydict() == rows.select(["price"]).to_pydict()
    assert unpacked == [0, 1]


def test_two_at_a_time(tmp_path: Path, unpacked: list[int]) -> None:
    rows = some_rows(5).select(["price", "note"])
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=1500)
    table = table_of(tmp_path / "a.parquet")
    first, second = one_by_one(table)
    one = read_split(table, first, ["price", "note"], morsel_rows=100)
    got = [next(one)]
    other = list(read_split(table, second, ["price", "note"], morsel_rows=100))
    got += [*one, *other]
    assert pa.Table.from_batches(got).to_pydict() == rows.to_pydict()
    assert unpacked == [0, 1]
    assert len(unpacked_groups._free) == 2
    assert len(read_all(table, only=[second])) == 1500
    assert len(unpacked_groups._free) == 2
    unpacked_groups.give_back_memory()
    assert unpacked_groups._free == []


def test_large_ones_leave_no_memory_behind(tmp_path: Path, unpacked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = some_rows(6).select(["price", "note"])
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=1500)
    table = table_of(tmp_path / "a.parquet")
    monkeypatch.setattr(unpacked_groups, "_FIRST_BYTES", 1000)
    monkeypatch.setattr(unpacked_groups, "KEPT_BYTES", 10_000)
    monkeypatch.setattr(unpacked_groups, "_free", [])
    assert read_all(table, only=one_by_one(table)).to_pydict() == rows.to_pydict()
    assert unpacked == [0, 1]
    assert unpacked_groups._free == []
    monkeypatch.setattr(unpacked_groups, "MOST_BYTES", 10_000)
    monkeypatch.setattr(unpacked_groups, "_FIRST_BYTES", 1000)
    assert read_all(table, only=one_by_one(table)).to_pydict() == rows.to_pydict()
    assert unpacked == [0, 1]


@pytest.mark.parametrize("seed", range(6))
def test_damage_is_an_error_or_what_arrow_reads(
    tmp_path: Path, seed: int, unpacked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)
    rows = some_rows(seed).select(["price", "note", "key", "word"])
    path = tmp_path / "a.parquet"
    pq.write_table(rows, path, row_group_size=1000, data_page_size=3000)
    whole = path.read_bytes()
    end = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    refused = 0
    for case in range(25):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 3])):
            data[draw.randrange(4, end)] = draw.randrange(256)
        path.write_bytes(data)
        os.utime(path, ns=(case + 1, case + 1))
        table = table_of(path)
        outcomes: list[pa.Table | None] = []
        for way in (lambda table: read_all(table, only=one_by_one(table)), lambda table: in_arrows_way(table, monkeypatch)):
            try:
                outcomes.append(way(table))
            except InvalidInput as error:
                assert "a.parquet" in error.message
                outcomes.append(None)
        refused += outcomes[0] is None
        # One decoder may refuse a page in which the other finds no fault; rows are never others.
        mine, arrows = outcomes
        assert mine is None or arrows is None or mine.equals(arrows)
    assert refused > 0


def test_a_file_cut_off_or_written_over_while_it_is_read(tmp_path: Path, unpacked: list[int]) -> None:
    rows = some_rows(7).select(["price", "note"])
    path = tmp_path / "a.parquet"
    pq.write_table(rows, path, row_group_size=1500)
    table = table_of(path)
    known = one_by_one(table)
    assert len(read_all(table, only=known)) == ROWS
    whole = path.read_bytes()
    times = path.stat()
    path.write_bytes(whole[:1000])
    with pytest.raises(InputChanged):
        read_all(table, only=known)
    # Another content of the same size and time: whatever comes, it is no crash.
    path.write_bytes(os.urandom(len(whole)))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(InvalidInput):
        read_all(table, only=known)


def test_a_chunk_with_fewer_values_than_promised_is_refused(tmp_path: Path, unpacked: list[int]) -> None:
    """Behind a chunk's last page may lie another row group's: reading never goes on there."""
    rows = pa.table({"price": pa.array(range(4000), pa.int64())})
    path = tmp_path / "a.parquet"
    pq.write_table(rows, path, row_group_size=2000, data_page_size=1000, use_dictionary=False)
    known = Footer(pq.read_metadata(path), rows.schema)
    first, second = (known.metadata.row_group(group).column(0) for group in (0, 1))
    with pa.OSFile(str(path)) as source:
        with unpacked_groups.unpacked_group(source, known, 0, ["price"]) as made:
            assert made is not None
            reader, number = made
            assert reader.read_row_group(number).column("price").to_pylist() == list(range(2000))
        (memory,) = unpacked_groups._free
        (read,) = memory.readers.values()
        with unpacked_groups.unpacked_group(source, known, 1, ["price"]) as made:
            assert made is not None
        place = PlacedColumn(
            second.physical_type, second.compression, (2100,), read.offsets[0], read.offsets[1] - read.offsets[0]
        )
        promised = GroupFooters(known.metadata, known.schema).footer(["price"], [2100], [place])
        with pytest.raises(OSError, match="page header"):
            pq.ParquetFile(pa.BufferReader(pa.py_buffer(memory.bytes)), metadata=promised).read()
    assert first.num_values == 2000

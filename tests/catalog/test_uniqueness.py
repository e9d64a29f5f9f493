"""Proofs that a column's values are all different: only of what the files hold, found once, and not of what changed since."""

from __future__ import annotations

import datetime
import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog import uniqueness
from flightmesh.catalog.open import open_table
from flightmesh.catalog.table import MemoryTable
from flightmesh.catalog.uniqueness import is_unique

LARGE = 3_000_000_000
DAY = datetime.date(2026, 1, 1)


def proved(folder: Path, values: list[object], kind: pa.DataType, row_group: int = 100) -> bool:
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    pq.write_table(pa.table({"a": pa.array(values, kind)}), path, row_group_size=row_group)
    return is_unique(open_table("t", path), "a")


def test_of_integers_and_dates(tmp_path: Path) -> None:
    rows = list(range(1000))
    mixed = random.Random(1).sample(rows, len(rows))
    for kind in (pa.int16(), pa.int32(), pa.int64(), pa.uint32()):
        assert proved(tmp_path, list(rows), kind)
        assert proved(tmp_path, list(mixed), kind)
        assert not proved(tmp_path, [*mixed[:-1], mixed[0]], kind)
        assert not proved(tmp_path, [*rows[:-1], rows[-2]], kind)
    assert proved(tmp_path, [value * LARGE for value in mixed], pa.int64())
    assert not proved(tmp_path, [*(value * LARGE for value in mixed), mixed[5] * LARGE], pa.int64())
    assert proved(tmp_path, [DAY + datetime.timedelta(n) for n in mixed], pa.date32())
    assert not proved(tmp_path, [DAY, DAY], pa.date32())


def test_of_nothing_else(tmp_path: Path) -> None:
    assert not proved(tmp_path, [1, None, 2], pa.int64())
    assert not proved(tmp_path, ["a", "b"], pa.string())
    assert not proved(tmp_path, [1.0, 2.0], pa.float64())
    assert not is_unique(MemoryTable("m", "m", pa.schema([("a", pa.int64())]), 1, 8), "a")


def test_across_files(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2], "b": [1, 2]}), tmp_path / "x.parquet")
    pq.write_table(pa.table({"a": [3, 4], "b": [2, 3]}), tmp_path / "y.parquet")
    table = open_table("t", tmp_path)
    assert is_unique(table, "a")
    assert not is_unique(table, "b")


def test_files_that_changed_are_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3]}), path)
    before = open_table("t", path)
    assert is_unique(before, "a")
    pq.write_table(pa.table({"a": [1, 2, 2]}), path)
    os.utime(path, ns=(1, 10**18))
    assert not is_unique(open_table("t", path), "a")


def test_a_proof_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3], "b": [1, 1, 2]}), path)
    table = open_table("t", path)
    assert (is_unique(table, "a"), is_unique(table, "b")) == (True, False)
    monkeypatch.setattr(uniqueness, "read_split", None)
    assert (is_unique(table, "a"), is_unique(table, "b")) == (True, False)


def test_large_tables_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uniqueness, "MOST_ROWS", 2)
    monkeypatch.setattr(uniqueness, "read_split", None)
    assert not proved(tmp_path, [1, 2, 3], pa.int64())

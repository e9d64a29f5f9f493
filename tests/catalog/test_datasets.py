"""pyarrow datasets: whole Parquet files are opened as files, everything that is more than that is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.datasets import open_dataset
from tests.catalog.reading import read_all

ROWS = pa.table({"x": range(100), "t": [f"n{row % 3}" for row in range(100)]})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in (1, 2):
        (tmp_path / f"k={part}").mkdir()
        pq.write_table(ROWS, tmp_path / f"k={part}" / "a.parquet", row_group_size=40)
    return tmp_path


def some_row_groups(folder: Path) -> ds.Dataset:
    whole = ds.dataset(folder / "k=1")
    parts = [fragment.subset(row_group_ids=[0, 2]) for fragment in whole.get_fragments()]
    return ds.FileSystemDataset(parts, whole.schema, whole.format, whole.filesystem)  # type: ignore[attr-defined]


def row_groups_in_another_order(folder: Path) -> ds.Dataset:
    whole = ds.dataset(folder / "k=1")
    parts = [fragment.subset(row_group_ids=[2, 1, 0]) for fragment in whole.get_fragments()]
    return ds.FileSystemDataset(parts, whole.schema, whole.format, whole.filesystem)  # type: ignore[attr-defined]


def below_another_root(folder: Path) -> ds.Dataset:
    return ds.dataset("k=1", filesystem=pafs.SubTreeFileSystem(str(folder), pafs.LocalFileSystem()))


def text_files(folder: Path) -> ds.Dataset:
    pacsv.write_csv(ROWS, folder / "a.csv")
    return ds.dataset(folder / "a.csv", format="csv")


WHOLE: dict[str, Callable[[Path], ds.Dataset]] = {
    "one file": lambda folder: ds.dataset(folder / "k=1" / "a.parquet"),
    "a folder": lambda folder: ds.dataset(folder),
    "files by name": lambda folder: ds.dataset([str(folder / "k=2" / "a.parquet"), str(folder / "k=1" / "a.parquet")]),
    "row groups in another order, which pyarrow sorts": row_groups_in_another_order,
}


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_files_are_opened(folder: Path, kind: str) -> None:
    dataset = WHOLE[kind](folder)
    table = open_dataset("d", dataset)
    assert table is not None
    assert [file.path for file in table.files] == dataset.files  # type: ignore[attr-defined]
    assert read_all(table).to_pydict() == dataset.to_table().to_pydict()


def test_relative_paths_are_those_of_today(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    table = open_dataset("d", ds.dataset("k=1"))
    assert table is not None
    monkeypatch.chdir(os.sep)
    assert read_all(table).to_pydict() == ROWS.to_pydict()


MORE: dict[str, Callable[[Path], ds.Dataset]] = {
    "a filter": lambda folder: ds.dataset(folder).filter(pc.field("x") > 7),
    "two filters": lambda folder: ds.dataset(folder).filter(pc.field("x") > 7).filter(pc.field("x") < 9),
    "partitions": lambda folder: ds.dataset(folder, partitioning="hive"),
    "some columns": lambda folder: ds.dataset(folder, schema=pa.schema([("x", pa.int64())])),
    "other types": lambda folder: ds.dataset(folder, schema=pa.schema([("x", pa.int16()), ("t", pa.string())])),
    "another order": lambda folder: ds.dataset(folder, schema=pa.schema([("t", pa.string()), ("x", pa.int64())])),
    "a replaced schema": lambda folder: ds.dataset(folder).replace_schema(pa.schema([("t", pa.string())])),
    "a file twice": lambda folder: ds.dataset([str(folder / "k=1" / "a.parquet")] * 2),
    "some row groups": some_row_groups,
    "another file system": below_another_root,
    "options of the format": lambda folder: ds.dataset(folder, format=ds.ParquetFileFormat(coerce_int96_timestamp_unit="ms")),
    "another format": text_files,
    "a union": lambda folder: ds.dataset([ds.dataset(folder), ds.dataset(folder)]),
    "in memory": lambda folder: ds.dataset(ROWS),
    "nothing": lambda folder: ds.dataset([], schema=ROWS.schema),
}


@pytest.mark.parametrize("kind", MORE)
def test_what_is_more_than_files_is_not(folder: Path, kind: str) -> None:
    assert open_dataset("d", MORE[kind](folder)) is None


@pytest.mark.parametrize("data", [ROWS, {"x": [1]}, 5, None], ids=repr)
def test_what_is_no_dataset(data: object) -> None:
    assert open_dataset("d", data) is None


def test_files_that_are_gone_or_damaged_are_left_to_the_dataset(folder: Path) -> None:
    dataset = ds.dataset(folder)
    (folder / "k=1" / "a.parquet").write_bytes(b"PAR1 and then nothing")
    assert open_dataset("d", dataset) is None
    (folder / "k=1" / "a.parquet").unlink()
    assert open_dataset("d", dataset) is None

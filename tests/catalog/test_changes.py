"""A file that is not the one the table was opened on is noticed, before and while it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.catalog import Catalog
from flightmesh.catalog.open import open_table, refresh
from flightmesh.catalog.scan import splits
from flightmesh.catalog.table import FileTable
from flightmesh.errors import InputChanged, InvalidInput
from tests.catalog.reading import read_all


def write(path: Path, rows: int) -> None:
    match path.suffix:
        case ".parquet":
            pq.write_table(pa.table({"v": range(rows)}), path)
        case ".csv":
            path.write_text("v\n" + "1\n" * rows)
        case ".jsonl":
            path.write_text('{"v": 1}\n' * rows)
        case _:
            with pa.ipc.new_file(path, pa.schema([("v", pa.int64())])) as writer:
                writer.write_table(pa.table({"v": range(rows)}))


@pytest.fixture(params=["a.parquet", "a.csv", "a.jsonl", "a.arrow"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> FileTable:
    write(tmp_path / request.param, 10)
    return open_table("t", tmp_path / request.param)


def test_another_size(table: FileTable) -> None:
    found = splits(table)
    assert read_all(table, only=found).num_rows == 10
    write(Path(table.files[0].path), 2000)
    with pytest.raises(InputChanged, match="has changed since the query was planned") as caught:
        read_all(table, only=found)
    assert caught.value.retryable
    assert caught.value.hint


def test_another_time(table: FileTable) -> None:
    found = splits(table)
    os.utime(table.files[0].path, ns=(1, 1))
    with pytest.raises(InputChanged):
        read_all(table, only=found)


def test_gone(table: FileTable) -> None:
    found = splits(table)
    Path(table.files[0].path).unlink()
    with pytest.raises(InputChanged, match="is gone"):
        read_all(table, only=found)


def test_opened_again_the_new_file_is_read(table: FileTable) -> None:
    path = Path(table.files[0].path)
    assert read_all(table).num_rows == 10
    write(path, 25)
    os.utime(path, ns=(10**18, 10**18))
    assert read_all(open_table("t", path)).num_rows == 25


def test_a_registered_table_follows_its_files(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", 10)
    catalog = Catalog()
    catalog.register("t", open_table("t", tmp_path / "*.parquet"))
    before = catalog.lookup("t")
    assert catalog.lookup("t") is before
    write(tmp_path / "b.parquet", 5)
    grown = catalog.lookup("t")
    assert isinstance(grown, FileTable)
    assert read_all(grown).num_rows == 15
    assert catalog.lookup("t") is grown
    (tmp_path / "a.parquet").unlink()
    pq.write_table(pa.table({"w": ["x"]}), tmp_path / "b.parquet")
    changed = catalog.lookup("t")
    assert isinstance(changed, FileTable)
    assert changed.schema.names == ["w"]
    (tmp_path / "b.parquet").unlink()
    with pytest.raises(InvalidInput, match="no file matches"):
        catalog.lookup("t")
    assert catalog.peek("t") is changed
    assert catalog.drop("t") is changed


def test_a_table_that_is_opened_again_keeps_its_options(tmp_path: Path) -> None:
    folder = tmp_path / "k=1"
    folder.mkdir()
    (folder / "a.csv").write_text("1;x\n")
    options = {"header": "false", "types": '{"column0": "VARCHAR"}', "hive_partitioning": "false"}
    table = open_table("t", folder, options=options)
    (folder / "b.csv").write_text("2;y\n")
    again = refresh(table)
    assert (len(again.files), again.schema, again.options) == (2, table.schema, table.options)
    assert read_all(again, ["column0"]).column("column0").to_pylist() == ["1", "2"]

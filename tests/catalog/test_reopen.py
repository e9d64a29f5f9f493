"""A table whose source leads to the same files is the same object; anything else is opened anew."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.named_files import named_files
from flightmesh.catalog.open import is_unchanged, open_table, refresh, reopen
from flightmesh.errors import InvalidInput


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


def test_one_file(path: Path) -> None:
    table = open_table("t", path)
    assert refresh(table) is reopen(table, named_files("t", path)) is table
    os.utime(path, ns=(1, 1))
    assert not is_unchanged(table)
    assert refresh(table) == reopen(table, named_files("t", path)) != table
    path.unlink()
    path.mkdir()
    assert not is_unchanged(table)
    with pytest.raises(InvalidInput):
        refresh(table)


def test_a_link_is_what_it_leads_to(path: Path) -> None:
    link = path.with_name("link.parquet")
    link.symlink_to(path)
    table = open_table("t", link)
    assert is_unchanged(table)
    os.utime(path, ns=(1, 1))
    assert not is_unchanged(table)


def test_a_list_of_files_in_its_order(path: Path) -> None:
    other = path.with_name("b.parquet")
    pq.write_table(pa.table({"x": [2]}), other)
    table = open_table("t", [other, path])
    assert reopen(table, named_files("t", [other, path])) is table
    assert reopen(table, named_files("t", [path, other])).files == table.files[::-1]
    assert open_table("t", [path, path]).files == (table.files[1],)
    assert is_unchanged(open_table("t", [path, path]))


def test_a_folder_and_a_glob(path: Path) -> None:
    folder, glob = open_table("t", path.parent), open_table("t", path.with_name("*.parquet"))
    assert is_unchanged(folder)
    assert is_unchanged(glob)
    pq.write_table(pa.table({"x": [2]}), path.with_name("b.parquet"))
    assert not is_unchanged(folder)
    assert not is_unchanged(glob)
    assert len(reopen(folder, named_files("t", path.parent)).files) == 2
    for file in path.parent.iterdir():
        file.unlink()
    for table in (folder, glob):
        with pytest.raises(InvalidInput):
            is_unchanged(table)

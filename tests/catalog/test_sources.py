"""One file, folder, glob, list, hive folders: which files a source is, and what is read from it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import read_split, splits
from flightmesh.catalog.table import Format
from tests.catalog.reading import read_all


def put(path: Path, *values: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"v": pa.array(values, pa.int64())}), path)
    return path


def values(source: object) -> list[int]:
    return sorted(read_all(open_table("t", source), ["v"]).column("v").to_pylist())  # type: ignore[arg-type]


def test_one_file(tmp_path: Path) -> None:
    assert values(put(tmp_path / "a.parquet", 1, 2)) == [1, 2]
    assert values(str(tmp_path / "a.parquet")) == [1, 2]
    assert values(f"file://{tmp_path}/a.parquet") == [1, 2]


def test_a_folder_is_read_to_its_depth_without_hidden_files(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", 1)
    put(tmp_path / "deep" / "er" / "b.parquet", 2)
    put(tmp_path / ".hidden.parquet", 90)
    put(tmp_path / "_temporary" / "c.parquet", 91)
    put(tmp_path / ".git" / "d.parquet", 92)
    (tmp_path / "_SUCCESS").touch()
    assert values(tmp_path) == [1, 2]
    assert values(f"{tmp_path}/") == [1, 2]


def test_globs(tmp_path: Path) -> None:
    put(tmp_path / "a1.parquet", 1)
    put(tmp_path / "a2.parquet", 2)
    put(tmp_path / "b1.parquet", 3)
    put(tmp_path / "x" / "a1.parquet", 4)
    put(tmp_path / "x" / "y" / "a1.parquet", 5)
    assert values(tmp_path / "a*.parquet") == [1, 2]
    assert values(tmp_path / "?1.parquet") == [1, 3]
    assert values(tmp_path / "[!a]1.parquet") == [3]
    assert values(tmp_path / "[ab]1.parquet") == [1, 3]
    assert values(tmp_path / "*" / "a1.parquet") == [4]
    assert values(tmp_path / "**" / "a1.parquet") == [1, 4, 5]
    assert values(tmp_path / "x" / "**") == [4, 5]


def test_a_list_of_sources_reads_each_file_once(tmp_path: Path) -> None:
    first, second = put(tmp_path / "a.parquet", 1), put(tmp_path / "b.parquet", 2)
    assert values([first, second]) == [1, 2]
    assert values([first, tmp_path / "*.parquet", str(second)]) == [1, 2]


def test_a_name_with_glob_characters_is_a_file_if_it_exists(tmp_path: Path) -> None:
    assert values(put(tmp_path / "a[1].parquet", 7)) == [7]


def test_relative_paths_are_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "in" / "a.parquet", 3)
    monkeypatch.chdir(tmp_path)
    assert values("in/a.parquet") == [3]
    assert values("in") == [3]
    assert values("./in/*.parquet") == [3]
    table = open_table("t", "in")
    monkeypatch.chdir("/")
    assert read_all(table).num_rows == 1


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.parquet", Format.PARQUET),
        ("a.csv", Format.CSV),
        ("a.tsv", Format.CSV),
        ("a.jsonl", Format.JSON),
        ("a.ndjson", Format.JSON),
    ],
)
def test_the_extension_tells_the_format(tmp_path: Path, name: str, format: Format) -> None:
    path = tmp_path / name
    if format is Format.PARQUET:
        put(path, 1)
    else:
        path.write_text('{"v": 1}\n' if format is Format.JSON else "v\tw\n1\t2\n" if name.endswith("tsv") else "v,w\n1,2\n")
    table = open_table("t", path)
    assert table.format is format
    assert read_all(table, ["v"]).column("v").to_pylist() == [1]


def test_a_format_that_is_asked_for_wins(tmp_path: Path) -> None:
    path = put(tmp_path / "data.bin", 5)
    assert read_all(open_table("t", path, format="parquet")).column("v").to_pylist() == [5]
    assert read_all(open_table("t", path, format=Format.PARQUET)).column("v").to_pylist() == [5]


def test_without_columns_the_rows_are_still_counted(tmp_path: Path) -> None:
    put(tmp_path / "p" / "a.parquet", *range(2500))
    (tmp_path / "a.csv").write_text("v\n" + "1\n" * 2500)
    (tmp_path / "a.jsonl").write_text('{"v": 1}\n' * 2500)
    for source in ("p", "a.csv", "a.jsonl"):
        assert read_all(open_table("t", tmp_path / source), []).num_rows == 2500


def test_the_check_between_batches_can_stop_a_reader(tmp_path: Path) -> None:
    table = open_table("t", put(tmp_path / "a.parquet", *range(5000)))
    seen = 0

    def check() -> None:
        if seen >= 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        for _ in read_split(table, splits(table)[0], ["v"], morsel_rows=500, check=check):
            seen += 1
    assert seen == 2

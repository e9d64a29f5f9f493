"""Big text files are cut into splits; nothing is lost, doubled or misplaced at the cuts."""

from __future__ import annotations

import gzip
import itertools
import random
from pathlib import Path

import pytest

from flightmesh.catalog import text_splits
from flightmesh.catalog.formats import csv as csv_format
from flightmesh.catalog.formats import json as json_format
from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import splits
from flightmesh.catalog.table import FileSplit, FileTable
from flightmesh.errors import InvalidInput
from tests.catalog.reading import read_all


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_splits, "SPLIT_BYTES", 500)
    monkeypatch.setattr(text_splits, "_BLOCK_BYTES", 100)
    monkeypatch.setattr(csv_format, "_BLOCK_BYTES", 150)
    monkeypatch.setattr(json_format, "_BLOCK_BYTES", 150)
    monkeypatch.setattr(csv_format, "SAMPLE_BYTES", 1000)
    monkeypatch.setattr(json_format, "SAMPLE_BYTES", 1000)


def spans(table: FileTable) -> list[tuple[int, ...]]:
    found = splits(table)
    assert all(isinstance(split, FileSplit) for split in found)
    return [split.pieces for split in found if isinstance(split, FileSplit)]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv_with_quoted_line_ends(tmp_path: Path, mark: str) -> None:
    draw = random.Random(5)
    rows = [(number, draw.choice(["plain", "two\nlines", 'a "quoted"\n\nword', "x,y"])) for number in range(400)]
    text = mark + "n,t\n" + "".join('{},"{}"\n'.format(number, words.replace('"', '""')) for number, words in rows)
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    table = open_table("t", path)
    found = spans(table)
    assert len(found) > 5
    assert found[0][0] == 0
    assert found[-1][1] == len(text.encode())
    assert all(left[1] == right[0] for left, right in itertools.pairwise(found))
    data = text.encode()
    assert all(line == data[:begin].count(b"\n") + 1 for begin, _, line in found)
    assert [tuple(row.values()) for row in read_all(table).to_pylist()] == rows
    assert read_all(table, []).num_rows == 400


def test_header_and_skipped_lines_belong_to_the_first_split(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("# made by hand\nn;t\n" + "".join(f"{number};x\n" for number in range(1000)))
    table = open_table("t", tmp_path / "a.csv", options={"skip": "1"})
    assert len(spans(table)) > 5
    assert read_all(table, ["n"]).column("n").to_pylist() == list(range(1000))


def test_json_lines_and_arrays(tmp_path: Path) -> None:
    lines = [f'{{"n": {number}}}' for number in range(1000)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    table = open_table("t", tmp_path / "a.jsonl")
    assert len(spans(table)) > 5
    assert read_all(table).column("n").to_pylist() == list(range(1000))
    (tmp_path / "b.json").write_text(f"[{', '.join(lines)}]")
    array = open_table("t", tmp_path / "b.json")
    assert spans(array) == [()]
    assert read_all(array).num_rows == 1000


def test_compressed_files_are_one_split(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"n,t\n" + b"1,x\n" * 5000, 0))
    table = open_table("t", tmp_path / "a.csv.gz")
    assert table.files[0].size > 1000
    assert spans(table) == [()]
    assert read_all(table).num_rows == 5000


def test_each_split_reads_its_own_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,t\n" + "1,x\n" * 2000)
    table = open_table("t", tmp_path / "a.csv")
    metrics = ReadMetrics()
    second = splits(table)[1]
    read_all(table, only=[second], metrics=metrics)
    assert metrics.bytes == second.bytes < 1000


def test_errors_name_the_line_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("n,t\n" + "1,x\n" * 20_000 + "1,x,y\n" + "1,x\n" * 10)
    with pytest.raises(InvalidInput, match=r"a\.csv, line 20002: 3 fields where 2"):
        read_all(open_table("t", tmp_path / "a.csv"))
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n' * 10_000 + '{"n": "x"}\n')
    with pytest.raises(InvalidInput, match=r"a\.jsonl, line 10001"):
        read_all(open_table("t", tmp_path / "a.jsonl"))

"""JSON lines and arrays of objects."""

from __future__ import annotations

import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from flightmesh.catalog.formats import json as json_format
from flightmesh.catalog.open import open_table
from flightmesh.errors import InvalidInput
from tests.catalog.reading import read_all

LINES = """{"i": 1, "f": 1, "t": "x", "b": true, "day": "2020-01-02", "at": "2020-01-02T03:04:05", "l": [1, 2]}

{"i": 2, "f": 2.5, "t": "", "b": null, "day": "2021-03-04", "at": "2020-01-02T13:14:15", "more": {"x": 1}}
{"i": null, "f": null, "t": "2020-01-02", "b": false, "day": null, "at": null, "l": null}
"""


def put(folder: Path, text: str, name: str = "a.jsonl") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_lines_as_duckdb_reads_them(tmp_path: Path) -> None:
    table = open_table("t", put(tmp_path, LINES))
    expected = duckdb.sql(f"from read_json('{tmp_path}/a.jsonl')").to_arrow_table()
    assert set(table.schema.names) == set(expected.schema.names)
    for entry in table.schema:
        assert entry.type == expected.schema.field(entry.name).type or pa.types.is_nested(entry.type)
    assert read_all(table, expected.schema.names).to_pylist() == expected.to_pylist()


def test_a_last_line_without_end_counts(tmp_path: Path) -> None:
    table = open_table("t", put(tmp_path, '{"i": 1}\n{"i": 2.5, "more": "x"}'))
    assert table.schema == pa.schema([("i", pa.float64()), ("more", pa.string())])
    assert read_all(table).to_pylist() == [{"i": 1.0, "more": None}, {"i": 2.5, "more": "x"}]


def test_an_array_of_objects(tmp_path: Path) -> None:
    text = '[{"i": 1, "d": "2020-01-02"},\n {"i": 2.5, "z": "x"}]'
    table = open_table("t", put(tmp_path, text, "a.json"))
    assert table.schema == pa.schema([("i", pa.float64()), ("d", pa.date32()), ("z", pa.string())])
    assert read_all(table).to_pylist() == [
        {"i": 1.0, "d": datetime.date(2020, 1, 2), "z": None},
        {"i": 2.5, "d": None, "z": "x"},
    ]
    assert read_all(table, []).num_rows == 2


def test_many_blocks_and_columns_that_come_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_format, "_BLOCK_BYTES", 256)
    rows = [{"i": number, "t": f"n{number}"} for number in range(500)]
    text = "".join(f'{{"i": {row["i"]}, "t": "{row["t"]}"}}\n' for row in rows)
    table = open_table("t", put(tmp_path, text))
    assert read_all(table).to_pylist() == rows
    assert read_all(table, ["t"]).column("t").to_pylist() == [row["t"] for row in rows]
    assert read_all(table, []).num_rows == 500


def test_several_files(tmp_path: Path) -> None:
    put(tmp_path, '{"a": 1, "b": "x"}\n', "1.jsonl")
    put(tmp_path, '{"a": 2.5, "c": [1]}\n', "2.jsonl")
    table = open_table("t", tmp_path)
    assert table.schema == pa.schema([("a", pa.float64()), ("b", pa.string()), ("c", pa.list_(pa.int64()))])
    assert read_all(table, ["b", "a"]).to_pylist() == [{"b": "x", "a": 1.0}, {"b": None, "a": 2.5}]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('{"a": 1}\n{"a": \n', ("line 2", "not JSON")),
        ('{"a": 1}\n\n[1]\n', ("line 3", "not an object")),
        ('{"a": 1}\n{"a": "x"}\n', ("line 2", "'a'", "changed from number to string")),
        ('{"a": 1}\n' * 600_000 + '{"a": "x"}\n', ("line 600001", "member 'a'", "not a BIGINT")),
        ("", ("is empty",)),
        ('[{"a": 1}, 2]', ("element 1 is not an object",)),
        ('[{"a": 1}, {"a": "x"}]', ("member 'a'",)),
        ('[{"a": 1}', ("not JSON",)),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    path = put(tmp_path, text)
    with pytest.raises(InvalidInput) as caught:
        read_all(open_table("t", path))
    for part in ("a.jsonl", *parts):
        assert part in caught.value.message
    assert caught.value.hint


def test_a_date_that_is_none_later(tmp_path: Path) -> None:
    lines = '{"d": "2020-01-01", "pad": "' + "x" * 100 + '"}\n'
    path = put(tmp_path, lines * 50_000 + '{"d": "soon"}\n')
    table = open_table("t", path)
    assert table.schema.field("d").type == pa.date32()
    with pytest.raises(InvalidInput, match="'d'") as caught:
        read_all(table)
    assert "soon" in caught.value.message

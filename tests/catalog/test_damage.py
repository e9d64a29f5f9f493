"""Whatever bytes a file has, reading it gives rows or a typed error of ours; the seed is in the test's name."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.open import open_table
from flightmesh.catalog.statistics import statistics
from flightmesh.errors import InvalidInput
from tests.catalog.reading import read_all

TABLE = pa.table(
    {
        "i": range(300),
        "t": [f"n{row % 5}" for row in range(300)],
        "l": [[1, 2]] * 300,
        "n": [None if row % 3 else row for row in range(300)],
    }
)


def write(path: Path) -> None:
    match path.suffix:
        case ".parquet":
            pq.write_table(TABLE, path, row_group_size=100)
        case ".arrow":
            with ipc.new_file(path, TABLE.schema) as writer:
                writer.write_table(TABLE, max_chunksize=100)
        case ".arrows":
            with ipc.new_stream(path, TABLE.schema) as writer:
                writer.write_table(TABLE, max_chunksize=100)
        case ".csv":
            path.write_text("i,t\n" + "".join(f'{row},"x{row}"\n' for row in range(300)))
        case _:
            path.write_text("".join(f'{{"i": {row}, "t": "x"}}\n' for row in range(300)))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("extension", ["parquet", "arrow", "arrows", "csv", "jsonl"])
def test_damaged_bytes(tmp_path: Path, extension: str, seed: int) -> None:
    path = tmp_path / f"a.{extension}"
    write(path)
    whole = path.read_bytes()
    draw = random.Random(seed)
    refused = 0
    for case in range(60):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 3, 10])):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data if draw.random() < 0.8 else data[: draw.randrange(len(data))])
        os.utime(path, ns=(case + 1, case + 1))
        try:
            table = open_table("t", path)
            dict(statistics(table).columns)
            read_all(table)
        except InvalidInput as error:
            refused += 1
            assert path.name in error.message
            assert error.hint
    assert refused > 10

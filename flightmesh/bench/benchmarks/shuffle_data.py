"""The table of shuffle.py: `dealt`, 16 whole numbers, and texts of some 6, 12, 24 and 40 bytes; the first has 1,000 values."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from flightmesh.bench.benchmarks.draws import integers, words
from flightmesh.bench.benchmarks.files import Columns, numbered, write_rows
from flightmesh.bench.benchmarks.shuffle import NUMBERS

ROWS = 2_000_000


def make(folder: Path, scale: float) -> None:
    """Writes the table."""
    write_rows(folder / "dealt.parquet", max(1000, round(ROWS * scale)), _columns)


def _columns(rows: range) -> Columns:
    numbers = {name: pa.array(words(rows, 10 + place).view("int64")) for place, name in enumerate(NUMBERS)}
    return {
        "key": pa.array(words(rows, 1).view("int64")),
        **numbers,
        "word": numbered("w-", integers(rows, 2, 1000)),
        "name": numbered("name ", integers(rows, 3, 10**7)),
        "path": numbered("/some/folder/file-", integers(rows, 4, 10**6)),
        "line": numbered("a line of text with a number in it: ", integers(rows, 5, 10**4)),
    }

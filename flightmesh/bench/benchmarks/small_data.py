"""The tables of small.py: `one` has one row, `kinds` ten, `items` a thousand times the scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from flightmesh.bench.benchmarks.draws import integers, units
from flightmesh.bench.benchmarks.files import Columns, numbered, write_rows

ROWS = 1000
KINDS = 10


def make(folder: Path, scale: float) -> None:
    """Writes the three tables."""
    write_rows(folder / "one.parquet", 1, _items)
    write_rows(folder / "items.parquet", max(10, round(ROWS * scale)), _items)
    write_rows(folder / "kinds.parquet", KINDS, _kinds)


def _items(rows: range) -> Columns:
    number = np.arange(rows.start, rows.stop, dtype=np.int64)
    return {
        "number": pa.array(number + 1),
        "name": numbered("item ", number + 1),
        "kind": pa.array(integers(rows, 1, KINDS)),
        "price": pa.array(np.round(units(rows, 2) * 100, 2)),
    }


def _kinds(rows: range) -> Columns:
    kind = np.arange(rows.start, rows.stop, dtype=np.int64)
    return {"kind": pa.array(kind), "title": numbered("kind ", kind)}

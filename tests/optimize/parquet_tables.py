"""A session over tables that are written as Parquet files first, so that their statistics are those of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import flightmesh


@contextmanager
def session_over(folder: Path, tables: Mapping[str, pa.Table], group_rows: int) -> Iterator[flightmesh.Session]:
    """`group_rows`: of a row group."""
    with flightmesh.connect(threads=2) as made:
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet", row_group_size=group_rows)
            made.register(name, folder / f"{name}.parquet")
        yield made

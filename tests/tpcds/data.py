"""TPC-DS data and queries: files as `tpcgen-cli` writes them, one a table, and texts from DuckDB's extension."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import duckdb

from tests.tpcgen import extension_queries, generated

NUMBERS = range(1, 100)
SMALL = "0.1"
"""The scale of CI. Below it the generator writes ever the same: 0.001 has the rows of 0.01."""


def tpcds_folder(scale: str) -> Path:
    """A folder with a file for each table."""
    return generated("tpcds", scale, f"tpcds-{scale}")


def table_files(folder: Path) -> dict[str, str]:
    """The file of each table."""
    return {path.stem: str(path) for path in sorted(folder.glob("*.parquet"))}


@cache
def reference(folder: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB with views over the files."""
    connection = duckdb.connect(config={"threads": 2})
    for table, path in table_files(folder).items():
        connection.execute(f"create view {table} as select * from read_parquet('{path}')")
    return connection


def queries() -> dict[int, str]:
    """The 99 queries by number, as DuckDB's extension has them."""
    return extension_queries("tpcds")

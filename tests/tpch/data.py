"""TPC-H data and queries: files as `tpcgen-cli` writes them, texts from DuckDB's extension."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.tpcgen import extension_queries, generated

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
NUMBERS = range(1, 23)
PARTS = 4


def tpch_folder(scale: str, parts: int = PARTS) -> Path:
    """A folder with a folder for each table. `parts`: files of each of the larger tables."""
    return generated("tpch", scale, f"tpch-{scale}-{parts}", f"--parts={parts}")


def table_files(folder: Path, table: str) -> str:
    """A glob of the files of a table."""
    return str(folder / table / "*.parquet")


def reference(folder: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB with views over the files."""
    connection = duckdb.connect(config={"threads": 2})
    for table in TABLES:
        connection.execute(f"create view {table} as select * from read_parquet('{table_files(folder, table)}')")
    return connection


def queries() -> dict[int, str]:
    """The 22 queries by number, as DuckDB's extension has them."""
    return extension_queries("tpch")

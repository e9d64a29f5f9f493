"""TPC-H data and queries: files as `tpcgen-cli` writes them, texts from DuckDB's extension."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import duckdb

TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
NUMBERS = range(1, 23)
PARTS = 4


def tpch_folder(scale: str, parts: int = PARTS) -> Path:
    """A folder with a folder for each table, made once a machine and kept among its temporary files. `parts`: files of each of
    the larger tables."""
    kept = Path(tempfile.gettempdir()) / f"flightmesh-tests-{os.getuid()}"
    kept.mkdir(exist_ok=True, mode=0o700)
    folder = kept / f"tpch-{scale}-{parts}"
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=kept) as made:
        command = [str(_generator()), "tpch", "parquet", "-s", scale, f"--parts={parts}", "-o", made]
        subprocess.run(command, check=True, capture_output=True, text=True)
        try:
            Path(made).rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was faster
                raise
        Path(made).mkdir(exist_ok=True)
    return folder


def _generator() -> Path:
    """The console script of the package tpcgen-cli, beside this Python."""
    beside = Path(sys.executable).with_name("tpcgen-cli")
    found = beside if beside.exists() else shutil.which("tpcgen-cli")
    if found is None:
        raise FileNotFoundError("tpcgen-cli is not installed: pip install 'flightmesh[test]'")
    return Path(found)


def table_files(folder: Path, table: str) -> str:
    """A glob of the files of a table."""
    return str(folder / table / "*.parquet")


def reference(folder: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB with views over the files."""
    connection = duckdb.connect(config={"threads": 2})
    for table in TABLES:
        connection.execute(f"create view {table} as select * from read_parquet('{table_files(folder, table)}')")
    return connection


@cache
def queries() -> dict[int, str]:
    """The 22 queries by number, as DuckDB's extension has them."""
    spec = find_spec("duckdb_extension_tpch")
    assert spec is not None and spec.origin is not None, "duckdb-extension-tpch is not installed"
    extension = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / "tpch.duckdb_extension"
    with duckdb.connect() as connection:
        connection.load_extension(str(extension))
        rows = connection.execute("select query_nr, query from tpch_queries()").fetchall()
    return {number: text.strip().rstrip(";") for number, text in rows}

"""DuckDB's answers to the 22 queries, each computed once for a folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa

from tests.compare import duckdb_answer
from tests.tpch.data import queries, reference


@cache
def _connection(folder: Path) -> duckdb.DuckDBPyConnection:
    return reference(folder)


@cache
def answer(folder: Path, number: int) -> pa.Table:
    """DuckDB's answer to a query over the files of a folder."""
    return duckdb_answer(_connection(folder), queries()[number])

"""Compares tables as bags of rows, and asks DuckDB for the reference.

Tables are copied into DuckDB: over Arrow data it pushes join filters into the scan, where NaN and -0.0 compare by other rules.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from typing import Any

import duckdb
import pyarrow as pa


def reference(sql: str, **tables: pa.Table) -> pa.Table:
    """DuckDB's answer to `sql` over these tables."""
    connection = _connection()
    for name, table in tables.items():
        connection.register("incoming", table)
        connection.execute(f"create or replace table {name} as select * from incoming")
        connection.unregister("incoming")
    answer = connection.execute(sql).arrow()
    return answer if isinstance(answer, pa.Table) else answer.read_all()


@functools.cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    return connection


def canonical(value: Any) -> Any:
    """A value such that equal ones are equal: one NaN, one zero, floats to nine digits."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else float(f"{value + 0.0:.9g}")
    return value


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """The table's rows as tuples of canonical values."""
    columns = [column.to_pylist() for column in table.columns]
    if not columns:
        return [()] * table.num_rows
    return [tuple(canonical(v) for v in row) for row in zip(*columns, strict=True)]


def assert_same_rows(got: pa.Table, expected: pa.Table) -> None:
    """The same rows as often, in any order."""
    mine, theirs = Counter(rows_of(got)), Counter(rows_of(expected))
    assert mine == theirs, f"too many: {list((mine - theirs).items())[:5]}; missing: {list((theirs - mine).items())[:5]}"


def assert_same_order(got: pa.Table, expected: pa.Table) -> None:
    """The same rows in the same order."""
    assert rows_of(got) == rows_of(expected)

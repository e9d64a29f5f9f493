"""Compares an answer of this engine with DuckDB's, in order or as a bag: see flightmesh/bench/compare.py, by which rows are
the same."""

from __future__ import annotations

import enum
from typing import Any

import duckdb
import pyarrow as pa

from flightmesh.bench.compare import Row, assert_same_columns, is_same_row, is_same_value, rows_of, unpaired


class Order(enum.Enum):
    """Whether the order of the rows counts."""

    COUNTS = "counts"
    FREE = "free"


def duckdb_answer(connection: duckdb.DuckDBPyConnection, sql: str, params: Any = None) -> pa.Table:
    """DuckDB's answer as a table."""
    return connection.execute(sql, params).to_arrow_table()


def assert_same(got: pa.Table, expected: pa.Table, order: Order) -> None:
    """Fails, saying how, unless both tables are the same."""
    assert_same_columns(got, expected)
    mine, theirs = rows_of(got), rows_of(expected)
    if order is Order.COUNTS:
        _same_sequence(mine, theirs, got.column_names)
    else:
        _same_bag(mine, theirs, got.column_names)


def _same_sequence(mine: list[Row], theirs: list[Row], names: list[str]) -> None:
    for number, (left, right) in enumerate(zip(mine, theirs, strict=False)):
        assert is_same_row(left, right), f"row {number} differs\n{_shown(names, left, right)}"
    assert len(mine) == len(theirs), f"{len(mine)} rows, expected {len(theirs)}"


def _same_bag(mine: list[Row], theirs: list[Row], names: list[str]) -> None:
    extra, missing = unpaired(mine, theirs)
    if extra or missing:
        head = f"{len(mine)} rows, expected {len(theirs)}; columns {names}"
        raise AssertionError(f"{head}\n  too many ({len(extra)}): {extra[:5]}\n  missing ({len(missing)}): {missing[:5]}")


def _shown(names: list[str], left: Row, right: Row) -> str:
    pairs = zip(names, left, right, strict=True)
    return "\n".join(f"  {'  ' if is_same_value(a, b) else '! '}{name}: {a!r}, expected {b!r}" for name, a, b in pairs)

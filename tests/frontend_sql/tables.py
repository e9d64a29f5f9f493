"""The small tables that these tests read, and a catalog and a DuckDB over them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from flightmesh.catalog.catalog import Catalog
from flightmesh.catalog.table import MemoryTable
from flightmesh.frontend.sql import Query, Statement, plan_statement
from flightmesh.logical.validate import validate

T = pa.table(
    {
        "a": pa.array([1, 2, 3, 4, 5, 6, None, 8], pa.int64()),
        "b": pa.array([0, 1, 0, 1, 0, 1, 0, None], pa.int32()),
        "s": pa.array(["x1", "y2", "x3", None, "z5", "x6", "y7", "z8"]),
        "d": pa.array([datetime.date(2020, 1, day) for day in range(1, 9)]),
        "m": pa.array(
            [Decimal(v) if v else None for v in ("1.50", "2.25", "", "4.00", "-5.75", "6.00", "7.10", "8.00")],
            pa.decimal128(15, 2),
        ),
        "f": pa.array([1.5, 2.5, None, 4.5, float("nan"), 6.5, 7.5, 8.5], pa.float64()),
    }
)
U = pa.table(
    {
        "a": pa.array([1, 2, 2, 9, None], pa.int64()),
        "c": pa.array([10, 20, 21, 90, 0], pa.int32()),
        "e": pa.array(["x1", "q", "y2", None, "z5"]),
    }
)
V = pa.table({"A": pa.array([1, 2], pa.int64()), "Name": pa.array(["n1", "n2"])})
TABLES = {"t": T, "u": U, "v": V}


def catalog() -> Catalog:
    """A catalog that knows the tables (nothing here reads their rows)."""
    known = Catalog()
    for name, table in TABLES.items():
        known.register(name, MemoryTable(name, name, table.schema, table.num_rows, table.nbytes))
    return known


def duckdb_connection() -> duckdb.DuckDBPyConnection:
    """A DuckDB with the same tables."""
    connection = duckdb.connect()
    for name, table in TABLES.items():
        connection.register(name, table)
    return connection


def plan(
    text: str, params: Mapping[str, Any] | Sequence[Any] | None = None, dialect: str = "duckdb", known: Catalog | None = None
) -> Statement:
    """The statement of a text over the tables."""
    return plan_statement(text, catalog=known or catalog(), dialect=dialect, params=params)


def query(
    text: str, params: Mapping[str, Any] | Sequence[Any] | None = None, dialect: str = "duckdb", known: Catalog | None = None
) -> Query:
    """The query of a text over the tables, validated."""
    statement = plan(text, params, dialect, known)
    assert isinstance(statement, Query)
    validate(statement.relation)
    assert len(statement.names) == len(statement.relation.fields)
    return statement

"""All 22 TPC-H queries bind, with the names and types that DuckDB describes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import duckdb
import duckdb_extension_tpch
import pytest

from flightmesh.catalog.catalog import Catalog
from flightmesh.catalog.table import MemoryTable
from flightmesh.expression.types import sql_type_name
from tests.frontend_sql.tables import query


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    folder = Path(duckdb_extension_tpch.__file__).parent
    connection.load_extension(str(next(folder.glob("extensions/*/tpch.duckdb_extension"))))
    connection.execute("call dbgen(sf = 0)")
    return connection


@cache
def _catalog() -> Catalog:
    catalog = Catalog()
    for (name,) in _connection().execute("select table_name from duckdb_tables()").fetchall():
        schema = _connection().execute(f"from {name} limit 0").to_arrow_table().schema
        catalog.register(name, MemoryTable(name, name, schema, 0, 0))
    return catalog


@cache
def _texts() -> dict[int, str]:
    return dict(_connection().execute("from tpch_queries()").fetchall())


@pytest.mark.parametrize("number", range(1, 23))
def test_names_and_types_are_duckdbs(number: int) -> None:
    text = _texts()[number]
    bound = query(text, known=_catalog())
    # HUGEINT is what we keep in decimal(38, 0).
    types = [sql_type_name(field.type).replace("DECIMAL(38,0)", "HUGEINT") for field in bound.relation.fields]
    described = _connection().execute(f"describe {text}").fetchall()
    assert list(zip(bound.names, types, strict=True)) == [(row[0], row[1]) for row in described]

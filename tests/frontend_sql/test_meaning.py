"""What queries mean: bound here, run by the engine, and compared with DuckDB's answer, row for row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.compare import Order, assert_same
from tests.frontend_sql.tables import TABLES, duckdb_connection
from tests.meshes import ANYWHERE, AnySession, session_anywhere

FOLDER = Path(__file__).parent


def _texts(name: str) -> list[str]:
    return (FOLDER / name).read_text().splitlines()


@pytest.fixture(scope="module", params=ANYWHERE)
def session(request: pytest.FixtureRequest) -> Iterator[AnySession]:
    with session_anywhere(request.param, request) as opened:
        for name, table in TABLES.items():
            opened.register(name, table)
        yield opened


@pytest.fixture(scope="module")
def reference() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb_connection()
    yield connection
    connection.close()


@pytest.mark.parametrize("text", _texts("rows.sql"))
def test_same_rows_as_duckdb(session: AnySession, reference: duckdb.DuckDBPyConnection, text: str) -> None:
    assert_same(_numbered(session.sql(text).to_arrow()), _numbered(reference.sql(text).to_arrow_table()), Order.FREE)


@pytest.mark.parametrize("text", _texts("rows_in_order.sql"))
def test_same_order_as_duckdb(session: AnySession, reference: duckdb.DuckDBPyConnection, text: str) -> None:
    assert_same(session.sql(text).to_arrow(), reference.sql(text).to_arrow_table(), Order.COUNTS)


def _numbered(table: pa.Table) -> pa.Table:
    """The table with its columns numbered: titles of unnamed expressions are tested elsewhere."""
    return table.rename_columns([str(i) for i in range(table.num_columns)])

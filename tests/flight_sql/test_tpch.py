"""All 22 queries by ADBC on a driver and three workers, equal to DuckDB; no row passes through the driver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import adbc_driver_flightsql.dbapi as adbc
import pytest

from tests.compare import assert_same
from tests.mesh.cluster import Cluster
from tests.mesh.conftest import tpch_at
from tests.meshes import AT_MESHES, Meshes
from tests.tpch.answers import answer
from tests.tpch.data import NUMBERS, queries, tpch_folder
from tests.tpch.test_queries import order_of

pytestmark = pytest.mark.xdist_group("mesh-get")  # in the process that has that mesh


@pytest.fixture(scope="module")
def small() -> Path:
    """TPC-H at scale factor 0.1."""
    return tpch_folder("0.1")


@pytest.fixture(scope="module", params=AT_MESHES[:1])
def mesh(request: pytest.FixtureRequest, meshes: Meshes) -> Cluster:
    return meshes.of(request.param)


@pytest.fixture(scope="module")
def cursor(mesh: Cluster, small: Path) -> Iterator[adbc.Cursor]:
    """A cursor at a mesh that has the TPC-H tables."""
    with tpch_at(mesh, small), adbc.connect(mesh.uri, autocommit=True) as connection, connection.cursor() as opened:
        yield opened


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"q{number:02}")
def test_equal_to_duckdb(cursor: adbc.Cursor, mesh: Cluster, small: Path, number: int) -> None:
    through_driver = mesh.driver_row_bytes()
    cursor.execute(queries()[number])
    assert_same(cursor.fetch_arrow_table(), answer(small, number), order_of(number))
    assert mesh.driver_row_bytes() == through_driver


def test_a_query_of_tpch_with_parameters(cursor: adbc.Cursor, small: Path) -> None:
    text = queries()[6]
    assert "24" in text
    cursor.execute(text.replace("24", "?"), [24])
    assert_same(cursor.fetch_arrow_table(), answer(small, 6), order_of(6))

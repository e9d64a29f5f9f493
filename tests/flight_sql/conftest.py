"""A mesh in this process, and connections to it by ADBC."""

from __future__ import annotations

from collections.abc import Iterator

import adbc_driver_flightsql.dbapi as adbc
import pyarrow as pa
import pytest

from flightmesh.transport.service import Asked
from tests.node.loopback import Loopback, client_of, loopback, wait_until

NUMBERS = pa.table({"a": [1, 2, 3], "s": ["x", "y", "z"]})


@pytest.fixture(scope="module")
def mesh() -> Iterator[Loopback]:
    """With the table `numbers` and nothing else."""
    with loopback() as made:
        with client_of(made) as client:
            client.upload(Asked(path=("numbers",)), NUMBERS)
        yield made


@pytest.fixture
def connection(mesh: Loopback) -> Iterator[adbc.Connection]:
    """When it has gone, no job and no prepared statement is left."""
    with adbc.connect(mesh.driver.client_uri, autocommit=True) as opened:
        yield opened
    wait_until(mesh.is_idle, "the jobs are released")
    assert len(mesh.service.flight_sql.prepared) == 0


@pytest.fixture
def cursor(connection: adbc.Connection) -> Iterator[adbc.Cursor]:
    with connection.cursor() as opened:
        yield opened

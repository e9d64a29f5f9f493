"""A mesh of two workers that the tests of a module share, checked to be idle after each test."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.protocol.client_messages import OpenSession
from tests.node.loopback import Client, Loopback, client_of, loopback, wait_until

ROWS = 400_000


@pytest.fixture(scope="module")
def mesh() -> Iterator[Loopback]:
    with loopback() as made:
        yield made


@pytest.fixture
def client(mesh: Loopback) -> Iterator[Client]:
    """A client in a session of its own. When it has gone, nothing of it is left."""
    with client_of(mesh, OpenSession()) as opened:
        yield opened
        opened.connection.action("close-session", b"")
    wait_until(mesh.is_idle, "the jobs are released")


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of two Parquet files: k = v % 10, v = 0..ROWS."""
    folder = tmp_path_factory.mktemp("numbers")
    table = pa.table({"k": np.arange(ROWS) % 10, "v": np.arange(ROWS)})
    pq.write_table(table.slice(0, ROWS // 2), folder / "a.parquet", row_group_size=20_000)
    pq.write_table(table.slice(ROWS // 2), folder / "b.parquet", row_group_size=20_000)
    return str(folder)


def held_tables(mesh: Loopback) -> int:
    """Bytes that the workers account for tables in memory."""
    held = 0
    for worker in mesh.workers:
        here = worker._tenure.now
        assert here is not None
        accounts = here.loop.store.budget.accounts()
        held += sum(size for (_, purpose), size in accounts.items() if purpose == "tables in memory")
    return held

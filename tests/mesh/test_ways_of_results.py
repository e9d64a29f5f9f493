"""Where rows come from, and when: workers or driver, as they are made or when all are there."""

from __future__ import annotations

import pytest

import flightmesh
from flightmesh.errors import DataError
from tests.mesh.cluster import Cluster
from tests.meshes import ROWS
from tests.waiting import wait_until

FAILS_LATE = f"select v, cast(case when v = {ROWS - 1} then 'x' else '1' end as integer) as c from t"


def test_through_the_driver(mesh: Cluster) -> None:
    """For whoever reaches nobody else."""
    before = mesh.driver_row_bytes()
    with mesh.connect(results="through-driver") as session:
        assert session.sql("select v from t").to_arrow()["v"].to_numpy().sum() == ROWS * (ROWS - 1) // 2
        last = session.sql("select v from t order by v desc limit 2").to_arrow()
        assert last["v"].to_pylist() == [ROWS - 1, ROWS - 2]
    assert mesh.driver_row_bytes() - before >= 8 * ROWS
    wait_until(mesh.is_idle, 10)


def test_complete_gives_no_row_before_all_are_there(mesh: Cluster) -> None:
    with mesh.connect(delivery="complete") as session:
        assert rows_before_the_error(session) == 0
        assert sum(batch.num_rows for batch in session.sql("select v from t")) == ROWS
    wait_until(mesh.is_idle, 10)


def rows_before_the_error(session: flightmesh.RemoteSession) -> int:
    """How many rows came of a query that fails at its last."""
    rows = 0
    with pytest.raises(DataError):
        for batch in session.sql(FAILS_LATE):
            rows += batch.num_rows
    return rows

"""All 22 queries on a driver and three workers, equal to DuckDB, each with tasks on every worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import flightmesh
from flightmesh.driver.record import JobRecord
from flightmesh.ids import WorkerId
from tests.compare import assert_same
from tests.mesh.cluster import Cluster
from tests.mesh.conftest import tpch_at
from tests.tpch.answers import answer
from tests.tpch.data import NUMBERS, queries, tpch_folder
from tests.tpch.test_queries import order_of


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"q{number:02}")
def test_equal_to_duckdb(tpch: flightmesh.RemoteSession, mesh: Cluster, small: Path, number: int) -> None:
    check(tpch, mesh, small, number)


@pytest.fixture(scope="module")
def tpch_one(mesh: Cluster) -> Iterator[flightmesh.RemoteSession]:
    with tpch_at(mesh, tpch_folder("1")) as session:
        yield session


@pytest.mark.sf1
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"q{number:02}")
def test_equal_to_duckdb_at_scale_one(tpch_one: flightmesh.RemoteSession, mesh: Cluster, number: int) -> None:
    check(tpch_one, mesh, tpch_folder("1"), number)


def check(session: flightmesh.RemoteSession, mesh: Cluster, folder: Path, number: int) -> None:
    """Runs a query; its rows are DuckDB's, and every worker had a share in it."""
    through_driver = mesh.driver_row_bytes()
    result = session.sql(queries()[number])
    assert_same(result.to_arrow(), answer(folder, number), order_of(number))
    record = result.metrics
    assert record is not None
    assert mesh.driver_row_bytes() == through_driver, "no row passes through the driver"
    assert workers_of(record) == {node.id for node in mesh.carrying()}


def workers_of(record: JobRecord) -> set[WorkerId]:
    """The workers that ran tasks of a job."""
    return {task.worker for stage in record.stages for task in stage.tasks if task.worker is not None}

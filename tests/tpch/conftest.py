"""Data and sessions for the TPC-H tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import flightmesh
from flightmesh.config import Config
from tests.tpch.data import TABLES, table_files, tpch_folder


@pytest.fixture(scope="session")
def small() -> Path:
    """TPC-H at scale factor 0.1."""
    return tpch_folder("0.1")


@pytest.fixture(scope="session")
def one() -> Path:
    """TPC-H at scale factor 1."""
    return tpch_folder("1")


def registered(folder: Path, partitions: int) -> flightmesh.Session:
    """A session over the files, with so many tasks in a partitioned stage."""
    session = flightmesh.connect(config=Config(threads=2, partitions=partitions))
    for table in TABLES:
        session.register(table, table_files(folder, table))
    return session


@pytest.fixture(scope="module", params=[1, 2, 7], ids=lambda count: f"{count}p")
def session(request: pytest.FixtureRequest, small: Path) -> Iterator[flightmesh.Session]:
    """A session over scale factor 0.1 with 1, 2 and 7 partitions."""
    with registered(small, request.param) as made:
        yield made

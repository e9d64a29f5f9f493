"""Meshes of processes, for both ways of exchanging."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import flightmesh
from tests.mesh.cluster import Cluster
from tests.meshes import AT_MESHES, Meshes, session_at
from tests.tpch.data import TABLES, table_files, tpch_folder


@pytest.fixture(scope="session")
def small() -> Path:
    """TPC-H at scale factor 0.1."""
    return tpch_folder("0.1")


@pytest.fixture(scope="module", params=AT_MESHES)
def mesh(request: pytest.FixtureRequest, meshes: Meshes) -> Cluster:
    """A mesh of three workers with one slot each, which other tests use too: leave it as it was."""
    return meshes.of(request.param)


@pytest.fixture(scope="module")
def tpch(mesh: Cluster, small: Path) -> Iterator[flightmesh.RemoteSession]:
    """A session over TPC-H at scale factor 0.1."""
    with tpch_at(mesh, small) as session:
        yield session


@contextmanager
def tpch_at(mesh: Cluster, folder: Path) -> Iterator[flightmesh.RemoteSession]:
    """A session over the TPC-H tables of a folder."""
    with session_at(mesh) as session:
        for table in TABLES:
            session.register(table, table_files(folder, table))
        yield session

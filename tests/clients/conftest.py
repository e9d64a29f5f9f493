"""The mesh that all clients use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.scenarios import tables
from tests.mesh.cluster import Cluster, cluster


@pytest.fixture(scope="session")
def mesh() -> Iterator[Cluster]:
    with cluster(2, slots=1, memory="512MiB", mesh={"heartbeat_seconds": 0.1}) as made:
        with made.connect() as session:
            for name, table in tables().items():
                session.upload(name, table)
        yield made


@pytest.fixture
def settings(mesh: Cluster) -> dict[str, str]:
    """The environment that leads a client to the mesh."""
    return {"FLIGHTMESH_DRIVER": mesh.uri}

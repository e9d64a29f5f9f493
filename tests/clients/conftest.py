"""The mesh that all clients use: with TLS and tokens, as meshes are unless somebody says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.scenarios import tables
from tests.mesh.cluster import Cluster, secured_cluster


@pytest.fixture(scope="session")
def mesh() -> Iterator[Cluster]:
    with secured_cluster(2, slots=1, memory="512MiB", mesh={"heartbeat_seconds": 0.1}) as made:
        with made.connect() as session:
            for name, table in tables().items():
                session.upload(name, table)
        yield made


@pytest.fixture
def settings(mesh: Cluster) -> dict[str, str]:
    """The environment that leads a client to the mesh."""
    return {
        "FLIGHTMESH_DRIVER": mesh.uri,
        "FLIGHTMESH_CA": str(mesh.trusted / "ca.pem"),
        "FLIGHTMESH_TOKEN_FILE": str(mesh.trusted / "client.token"),
    }

"""Meshes that many tests share: started when first asked for, one for each way of exchanging, ended with the tests.

What always holds: a mesh holds the tables that it was started with and nothing else between two tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pytest

import flightmesh
from tests.mesh.cluster import Cluster, cluster
from tests.waiting import wait_until

ROWS = 1_000_000
MODES = ("get", "put")
WORKERS = 3
AT_MESHES = [pytest.param(mode, id=f"mesh-{mode}", marks=pytest.mark.xdist_group(f"mesh-{mode}")) for mode in MODES]
"""Parameters of tests that run at a mesh of either mode; those of one mode run in one process, and share its mesh."""
HERE = pytest.param(None, id="here")
ANYWHERE = [HERE, *AT_MESHES[:1]]
"""Parameters of tests of what a session answers, which run in this process and at a mesh (see `session_anywhere`)."""
AnySession: TypeAlias = flightmesh.Session | flightmesh.RemoteSession
_SETTINGS: dict[str, Any] = {
    "memory": "1GiB",
    "morsel_rows": 16_384,  # small, so that there are many
    "planner": {"broadcast_bytes": 1 << 20},  # small, so that joins of tests exchange both sides
    # How often a test hears what a mesh still holds; and a machine that does much else loses no worker.
    "mesh": {"heartbeat_seconds": 0.1, "lost_seconds": 60.0},
}


class Meshes:
    """Of three workers with a slot each, by mode."""

    def __init__(self) -> None:
        self._ends = ExitStack()
        self._started: dict[str, Cluster] = {}

    def of(self, mode: str) -> Cluster:
        """The mesh whose exchanges run that way, with the tables `t` and `p` of `tables`."""
        if mode not in self._started:
            made = self._ends.enter_context(cluster(WORKERS, mode=mode, **_SETTINGS))
            with made.connect() as session:
                for name, table in tables().items():
                    session.upload(name, table)
            self._started[mode] = made
        return self._started[mode]

    def close(self) -> None:
        """Ends all of them."""
        self._ends.close()


def tables() -> dict[str, pa.Table]:
    """`t`: a million rows; `p`: five."""
    numbers = np.arange(ROWS)
    return {
        "t": pa.table({"k": numbers % 10, "v": numbers}),
        "p": pa.table({"k": [1, 2, 3, None, 2], "name": ["one", "two", "three", "none", "deux"]}),
    }


@contextmanager
def session_at(mesh: Cluster, partitions: int | None = None) -> Iterator[flightmesh.RemoteSession]:
    """A session that takes what it made with it; the mesh is then seen to hold nothing of its jobs. With `partitions` few rows
    are dealt to so many tasks too, which else one task would have all to itself."""
    with mesh.connect(partitions=partitions) as session:
        yield session
    with mesh.connect() as cleaner:
        for name in set(cleaner.tables()) - set(tables()):
            cleaner.drop(name)
    wait_until(mesh.is_idle, 10, "the mesh to hold nothing any more")


@contextmanager
def session_anywhere(mode: str | None, request: pytest.FixtureRequest, partitions: int | None = None) -> Iterator[AnySession]:
    """A session in this process, or one at the mesh of a mode, which is not started where no test wants it; there with
    `partitions` (see `session_at`)."""
    if mode is None:
        with flightmesh.connect(threads=2) as here:
            yield here
    else:
        meshes: Meshes = request.getfixturevalue("meshes")
        with session_at(meshes.of(mode), partitions) as remote:
            yield remote

"""Random queries against DuckDB where nothing is easy for the exchange: no build is small enough to be broadcast, batches are
tiny, partitions are fixed, and next to nothing fits the exchange's memory, so every edge is dealt by hash, crosses processes
and lies on disk. `FLIGHTMESH_CHUNKS=100 pytest tests/mesh/test_random.py` goes on for longer."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.mesh.cluster import Cluster, cluster
from tests.meshes import MODES
from tests.random.harness import beside_duckdb, check, seeds
from tests.random.kinds import KINDS
from tests.waiting import ended, wait_until

FIRST = 2_000
"""Chunks of seeds that no other test takes begin here; each way of exchanging takes every other one."""
CHUNKS = int(os.environ.get("FLIGHTMESH_CHUNKS", "4"))
STUCK_SECONDS = 60.0
"""Far more than any of these queries takes, also on a busy machine."""
SETTINGS = {"memory": "512MiB", "morsel_rows": 64, "planner": {"broadcast_bytes": 1}, "mesh": {"heartbeat_seconds": 0.1}}


EACH = [
    pytest.param(mode, FIRST + number, id=f"mesh-{mode}-{FIRST + number}", marks=pytest.mark.xdist_group(f"mesh-{mode}"))
    for number in range(CHUNKS)
    for mode in [MODES[number % len(MODES)]]
]


@pytest.fixture(scope="module")
def hard(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Three workers with one slot each."""
    with cluster(3, mode=request.param, exchange={"memory": "1KiB"}, **SETTINGS) as made:
        yield made


@pytest.mark.parametrize(("hard", "chunk"), EACH, indirect=["hard"])
def test_random_queries_through_disks_and_processes(hard: Cluster, chunk: int) -> None:
    kind = KINDS["queries"]
    with hard.connect(partitions=3) as session, beside_duckdb(session, kind, chunk) as both:
        refused = sum(not ended(lambda seed=seed: check(kind, seed, both), STUCK_SECONDS) for seed in seeds(chunk))
        assert refused <= 2
        for name in session.tables():
            session.drop(name)
    wait_until(hard.is_idle, 20, "the mesh to hold nothing any more")
    folders = list(hard.folder.glob("flightmesh-spill-*"))
    assert len(folders) == len(hard.workers), "every worker has spilled"
    assert not [path for folder in folders for path in folder.iterdir() if path.name != "owner"]

"""What the wire costs on one machine: TPC-H on a driver and one-thread worker processes against the same engine embedded, with
as many threads as there are workers, in one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import flightmesh
from tests.benchmarks.conftest import ROUNDS, THREADS
from tests.benchmarks.table import MESH_SIDES, MESH_TIMES
from tests.mesh.cluster import cluster, secured_cluster
from tests.tpch.data import NUMBERS, TABLES, queries, table_files

SIDES = ("embedded", *MESH_SIDES)


@pytest.fixture(scope="module")
def sessions(folder: Path) -> Iterator[dict[str, Any]]:
    """All of them, open at the same time, so that each query meets them in the same minute."""
    with ExitStack() as stack:
        found: dict[str, Any] = {"embedded": stack.enter_context(flightmesh.connect(threads=THREADS))}
        for mode in ("get", "put"):
            mesh = stack.enter_context(cluster(workers=THREADS, slots=1, mode=mode))
            found[mode] = stack.enter_context(mesh.connect())
        secured = stack.enter_context(secured_cluster(workers=THREADS, slots=1))
        found["tls"] = stack.enter_context(secured.connect())
        for session in found.values():
            for table in TABLES:
                session.register(table, str(Path(table_files(folder, table)).resolve()))
        yield found


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"q{number:02}")
def test_query(benchmark: Any, sessions: dict[str, Any], side: str, number: int) -> None:
    benchmark.group = f"mesh q{number:02}"
    benchmark.extra_info.update(side=side, query=number, threads=THREADS)
    session = sessions[side]
    benchmark.pedantic(lambda: session.sql(queries()[number]).to_arrow(), rounds=ROUNDS, warmup_rounds=1)
    MESH_TIMES[side, number] = benchmark.stats.stats.min

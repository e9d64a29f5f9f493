"""Eight clients at once, each with half of the 22 queries in an order of its own: all right, none starved, nothing left
afterwards."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from tests.compare import assert_same
from tests.mesh.cluster import Cluster, cluster
from tests.tpch.answers import answer
from tests.tpch.data import NUMBERS, TABLES, queries, tpch_folder
from tests.tpch.test_queries import order_of
from tests.waiting import wait_until

CLIENTS = 8
MIB = 1 << 20
MOST_SECONDS = 900.0
SETTLE_SECONDS = 60.0
"""Idle threads end after some seconds; then memory is given back."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the processes of a mesh hold, one figure a process."""

    threads: tuple[int, ...]
    connections: tuple[int, ...]
    rss: tuple[int, ...]

    def exceeds(self, before: Footprint) -> str | None:
        """What is more than before, in words."""
        if any(now > then + 3 for now, then in zip(self.threads, before.threads, strict=True)):
            return f"threads {self.threads}, before {before.threads}"
        if any(now > then for now, then in zip(self.connections, before.connections, strict=True)):
            return f"sockets {self.connections}, before {before.connections}"
        if any(now > then + 100 * MIB for now, then in zip(self.rss, before.rss, strict=True)):
            return f"RSS in MiB {[r // MIB for r in self.rss]}, before {[r // MIB for r in before.rss]}"
        return None


def footprint(mesh: Cluster) -> Footprint:
    processes = [psutil.Process(node.pid) for node in (mesh.driver, *mesh.workers)]
    return Footprint(
        tuple(process.num_threads() for process in processes),
        tuple(len(process.net_connections()) for process in processes),
        tuple(process.memory_info().rss for process in processes),
    )


@pytest.fixture(scope="module")
def expected() -> dict[int, pa.Table]:
    folder = tpch_folder("0.01")
    return {number: answer(folder, number) for number in NUMBERS}


@pytest.fixture(
    scope="module", params=[pytest.param(mode, marks=pytest.mark.xdist_group(f"eight-{mode}")) for mode in ("get", "put")]
)
def mesh(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    folder = tpch_folder("0.01")
    with cluster(workers=3, mode=request.param, idle_seconds=5) as made:
        with made.connect() as session:
            for table in TABLES:
                session.register(table, str(Path(folder / table).resolve()))
        yield made


def serve_all(mesh: Cluster, expected: dict[int, pa.Table], seed: int) -> list[float]:
    """Seconds that each client took. Half of them ask the odd queries, the others the even ones; those of the next seed the
    other way round. Raises what went wrong with any of them."""
    took: dict[int, float] = {}
    wrong: list[BaseException] = []

    def client(number: int) -> None:
        started = time.monotonic()
        order = [query for query in NUMBERS if (query + number + seed) % 2]
        random.Random(seed * 100 + number).shuffle(order)
        try:
            with mesh.connect() as session:
                for query in order:
                    assert_same(session.sql(queries()[query]).to_arrow(), expected[query], order_of(query))
        except BaseException as failure:
            failure.add_note(f"client {number}")
            wrong.append(failure)
        took[number] = time.monotonic() - started

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(MOST_SECONDS)
    if wrong:
        raise wrong[0]
    assert len(took) == CLIENTS, f"only {sorted(took)} ended within {MOST_SECONDS} s"
    return list(took.values())


ROUNDS = 3
"""An allocator may keep what one round took for the next one. What leaks grows with each; so one round that adds nothing is
enough."""


def test_all_are_right_none_starves_nothing_is_left(mesh: Cluster, expected: dict[int, pa.Table]) -> None:
    serve_all(mesh, expected, seed=1)  # whatever is made once and kept is there from now on
    left: list[str] = []
    for number in range(ROUNDS):
        settled = settle(mesh)
        took = serve_all(mesh, expected, seed=2 + number)
        wait_until(mesh.is_idle, 5, "the mesh to be idle")
        assert max(took) < 3 * min(took) + 5, f"a client starved: {sorted(took)}"
        more = what_stays(mesh, settled)
        if more is None:
            break
        left.append(more)
    assert len(left) < ROUNDS, f"threads, sockets or memory grow with each round: {left}"
    assert len(mesh.jobs().jobs) <= 200, "the driver forgets"


def what_stays(mesh: Cluster, settled: Footprint) -> str | None:
    """What is more than before and stays so; None once nothing is."""
    left: list[str | None] = []

    def is_as_before() -> bool:
        left[:] = [footprint(mesh).exceeds(settled)]
        return left == [None]

    try:
        wait_until(is_as_before, SETTLE_SECONDS, "threads, sockets and memory to be as before")
    except AssertionError:
        return left[0]
    return None


def settle(mesh: Cluster) -> Footprint:
    """The footprint once two looks, some seconds apart, find the same threads."""
    wait_until(mesh.is_idle, 10, "the mesh to be idle")
    seen = [footprint(mesh)]
    since = [time.monotonic()]

    def steady() -> bool:
        now = footprint(mesh)
        if now.threads != seen[0].threads:
            seen[0], since[0] = now, time.monotonic()
        return time.monotonic() - since[0] > 8.5

    wait_until(steady, SETTLE_SECONDS, "threads to settle")
    return footprint(mesh)

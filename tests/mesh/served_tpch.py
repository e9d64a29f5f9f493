"""TPC-H as three nodes serve it: each a third of lineitem and orders in a folder of its own, replicas of everything else; and
what has to hold of a query over it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import flightmesh
from flightmesh.driver.record import JobRecord
from flightmesh.protocol.client_messages import NodeStatus
from tests.compare import assert_same
from tests.tpch.answers import answer
from tests.tpch.data import TABLES, queries, tpch_folder
from tests.tpch.test_queries import order_of
from tests.waiting import wait_until

NODES = 3
DIVIDED = ("lineitem", "orders")
LITTLE = (1, 6)
"""Queries that need few rows of other nodes."""
LITTLE_BYTES = 1_000_000


def data(scale: str = "0.1") -> Path:
    """All of it, each divided table in as many files as there are nodes."""
    return tpch_folder(scale, NODES)


def folders_of_nodes(place: Path, scale: str = "0.1") -> list[Path]:
    """A folder for each node, with one file of each divided table and all of those of the others."""
    made = [place / f"node{number}" for number in range(NODES)]
    for number, folder in enumerate(made):
        for table in TABLES:
            (folder / table).mkdir(parents=True)
            files = sorted((data(scale) / table).glob("*.parquet"))
            for file in files[number : number + 1] if table in DIVIDED else files:
                shutil.copy2(file, folder / table / file.name)
        assert [len(list((folder / table).iterdir())) for table in DIVIDED] == [1, 1]
    return made


def options(folder: Path) -> list[str]:
    """What a worker is told to serve its folder, and to read nothing else."""
    parts = [f"--serve={table}={folder / table}" for table in DIVIDED]
    replicas = [f"--serve-replica={table}={folder / table}" for table in TABLES if table not in DIVIDED]
    (folder / "nothing").mkdir(exist_ok=True)
    return [*parts, *replicas, f"--allow-root={folder / 'nothing'}"]


def check(session: flightmesh.RemoteSession, carrying: Callable[[], Sequence[NodeStatus]], number: int) -> None:
    """Runs a query: its rows are DuckDB's over the whole, each file was read where it lies, and (of queries that need little of
    other nodes) little went between nodes."""
    before = row_bytes(carrying)
    result = session.sql(queries()[number])
    got = result.to_arrow()
    if number in LITTLE:
        moved = row_bytes(carrying) - before
        assert 0 < moved < LITTLE_BYTES, f"{moved:,} bytes of rows went between nodes"
    assert_same(got, answer(data(), number), order_of(number))
    assert result.metrics is not None
    check_places(result.metrics, {str(node.id) for node in carrying()}, number)


def check_places(record: JobRecord, workers: set[str], number: int) -> None:
    """No split was read elsewhere than where it lies; lineitem's and orders' third of each node was read."""
    drawn = [task for stage in record.stages for task in stage.tasks if task.splits]
    assert sum(task.elsewhere for task in drawn) == 0
    where = {str(task.worker) for task in drawn}
    assert where <= workers
    if number not in (2, 11, 16):  # they read neither
        assert where == workers


def row_bytes(carrying: Callable[[], Sequence[NodeStatus]]) -> int:
    """Bytes of rows that have gone between nodes, as said in heartbeats from after now."""
    asked = time.monotonic()

    def are_fresh() -> bool:
        return all(node.load is not None and node.seen < time.monotonic() - asked - 0.02 for node in carrying())

    wait_until(are_fresh, 10, "heartbeats")
    return sum(node.load.row_bytes for node in carrying() if node.load is not None)

"""Three nodes that each serve a third of TPC-H: queries equal DuckDB over the whole, and scans run where the files are. All 22
are run in the laboratory (tests/lab).
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import flightmesh
from flightmesh.errors import NodeUnavailable, StreamBroken, WorkerLost
from tests.cli.running import flightmesh as command
from tests.mesh.cluster import Cluster, cluster, start_worker
from tests.mesh.served_tpch import DIVIDED, NODES, check, folders_of_nodes, options
from tests.mesh.test_losses import Reading
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("served-tpch")
SOME = (1, 2, 6, 9, 13, 18, 21)
ENDLESS = "select count(*) as n from lineitem a, lineitem b, lineitem c where a.l_partkey + b.l_partkey + c.l_partkey = -1"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, list[Path]]]:
    folders = folders_of_nodes(tmp_path_factory.mktemp("served"))
    with ExitStack() as ends:
        mesh = ends.enter_context(cluster(0, memory="1GiB", mesh={"heartbeat_seconds": 0.1}))
        for number, folder in enumerate(folders):
            mesh.workers.append(start_worker(ends, mesh, f"w{number}", options(folder)))
        wait_until(lambda: len(mesh.carrying()) == NODES, 60, "the workers register")
        yield mesh, folders


@pytest.fixture(scope="module")
def session(serving: tuple[Cluster, list[Path]]) -> Iterator[flightmesh.RemoteSession]:
    with serving[0].connect() as opened:
        yield opened


@pytest.mark.parametrize("number", SOME, ids=lambda number: f"q{number:02}")
def test_equal_to_duckdb(session: flightmesh.RemoteSession, serving: tuple[Cluster, list[Path]], number: int) -> None:
    check(session, serving[0].carrying, number)


def test_the_tables_are_listed_with_their_places(serving: tuple[Cluster, list[Path]]) -> None:
    listed = command("tables", "--driver", serving[0].address, "--format", "json")
    assert listed.returncode == 0, listed.stderr
    tables = {table["name"]: table for table in map(json.loads, listed.stdout.splitlines())}
    assert len(tables) == 8 and {table["kind"] for table in tables.values()} == {"served"}
    assert tables["lineitem"]["rows"] == 600_572 == sum(place["rows"] for place in tables["lineitem"]["places"])
    assert {place["copy"] for name in DIVIDED for place in tables[name]["places"]} == {"part"}
    assert [place["copy"] for place in tables["nation"]["places"]] == ["replica"] * NODES
    shown = command("tables", "--driver", serving[0].address).stdout.splitlines()
    assert shown[0].split() == ["NAME", "KIND", "ROWS", "SIZE", "LIES", "AT"]
    assert any(line.split()[0] == "lineitem" and line.endswith("w0, w1, w2") for line in shown)
    assert any(line.split()[0] == "nation" and line.endswith("w0 (replica), w1 (replica), w2 (replica)") for line in shown)


def test_the_only_copy_is_lost(session: flightmesh.RemoteSession, serving: tuple[Cluster, list[Path]]) -> None:
    """In the middle of a query, and at planning; what has replicas goes on; the node comes back. Last, for it takes nodes."""
    mesh, folders = serving
    running = Reading(session, ENDLESS)
    wait_until(lambda: all(node.load and node.load.running_tasks for node in mesh.carrying()), 30, "all to work")
    mesh.workers[1].signal(signal.SIGKILL)
    error = running.join(20)
    assert isinstance(error, WorkerLost | StreamBroken | NodeUnavailable), error  # whoever notices first
    assert "w1 (w1-" in error.message and "table lineitem" in error.message
    with pytest.raises(WorkerLost, match=r"table orders (is not whole: w1|at w1) \(w1-"):
        session.sql("select count(*) from orders")
    assert session.sql("select count(*) as n from nation, region").to_arrow().to_pydict() == {"n": [125]}
    with ExitStack() as ends:
        mesh.workers[1] = start_worker(ends, mesh, "w1", options(folders[1]))
        wait_until(lambda: len(mesh.carrying()) == NODES, 60, "it is back")
        assert session.sql("select count(*) as n from lineitem").to_arrow().to_pydict() == {"n": [600_572]}

"""Three machines of a LAN that each serve a third of TPC-H: the 22 queries equal DuckDB over the whole, scans run where the
files are, and Q1 and Q6 take less than 1 MB on the wires of the LAN, all in all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.lab.mesh import CLIENT, MESH, Lab, empty_lab
from tests.lab.places import sweep, tag_of_this_process
from tests.mesh.served_tpch import LITTLE, LITTLE_BYTES, NODES, folders_of_nodes, options
from tests.packages import need
from tests.tpch.data import NUMBERS

pytestmark = pytest.mark.xdist_group("lab-served-tpch")
DRIVER = "n1"
WORKERS = [f"n{number}" for number in range(2, 2 + NODES)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A driver, three workers with a folder each, and a place for clients; nobody is told an address."""
    need("ip", "iproute2")
    sweep()
    folders = folders_of_nodes(tmp_path_factory.mktemp("lan"))
    with empty_lab([DRIVER, *WORKERS, CLIENT], tag_of_this_process("s")) as made:
        token = made.token_for_workers(made.start_driver(DRIVER))
        for place, folder in zip(WORKERS, folders, strict=True):
            made.start_worker(place, token, ["--slots", "1", *options(folder)])
        for place in WORKERS:
            made.nodes[place].wait_said("ready, registered")
        yield made


def ask(lab: Lab, *numbers: int) -> str:
    """What the client program prints."""
    ran = lab.run(CLIENT, sys.executable, "-m", "tests.lab.served_queries", *map(str, numbers), seconds=120)
    assert ran.returncode == 0, ran.stderr + "".join(node.said()[-4000:] for node in lab.nodes.values())
    return ran.stdout


def on_the_wires(lab: Lab) -> int:
    """Bytes that all places have sent since they were built."""
    return sum(
        int(lab.run(place, "cat", "/sys/class/net/eth0/statistics/tx_bytes").stdout) for place in (DRIVER, *WORKERS, CLIENT)
    )


def test_the_other_queries_equal_duckdb_and_read_files_where_they_lie(lab: Lab) -> None:
    """All but those that are run by themselves below."""
    numbers = [number for number in NUMBERS if number not in LITTLE]
    assert ask(lab, *numbers).splitlines() == [f"q{number:02} ok" for number in numbers]


@pytest.mark.parametrize("number", LITTLE)
def test_little_goes_over_the_wires(lab: Lab, number: int) -> None:
    before = on_the_wires(lab)
    assert ask(lab, number) == f"q{number:02} ok\n"
    sent = on_the_wires(lab) - before
    assert 0 < sent < LITTLE_BYTES, f"{sent:,} bytes"


def test_a_node_with_the_only_copy_is_cut_off(lab: Lab) -> None:
    """Its cable is pulled: the error names it and the table; what has replicas goes on. The last test: it takes a node."""
    lab.network.cut(WORKERS[0])

    def sql(text: str) -> tuple[int, str]:
        ran = lab.run(CLIENT, "flightmesh", "sql", "--mesh", MESH, "--format", "csv", text)
        return ran.returncode, ran.stdout + ran.stderr

    code, said = sql("select count(*) as n from lineitem")
    assert code == 1
    assert WORKERS[0] in said and "lineitem" in said
    assert sql("select count(*) as n from nation")[1].split() == ["n", "25"]


def test_data_is_where_it_should_be(tmp_path: Path) -> None:
    """That the nodes' folders differ: else nothing of this shows anything."""
    folders = folders_of_nodes(tmp_path)
    names = [{file.name for file in (folder / "lineitem").iterdir()} for folder in folders]
    assert len(set.union(*names)) == NODES

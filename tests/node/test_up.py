"""`flightmesh up`: a mesh on this machine from start to end, however it ends."""

import json
import re
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.cli.mesh_file import load_mesh
from flightmesh.errors import InvalidConfig
from flightmesh.protocol.client_messages import Jobs, Nodes, NodeStatus
from flightmesh.protocol.codec import decode
from flightmesh.transport.flight_client import ClientConnection
from tests.node.processes import NodeCommand, flightmesh, is_alive
from tests.waiting import wait_until

THREE = Path(__file__).parents[2] / "nodes" / "three.yaml"
UP = ("up", "--insecure", "--workers", "2", "--port", "0", "--slots", "1", "--memory", "256MiB")
OF_ONE = tuple("1" if word == "2" else word for word in UP)
"""With one worker: its nodes are interpreters of their own, and each takes a second to start."""


def address_of(up: NodeCommand) -> str:
    return up.wait_said(r"mesh \S+ ready: .* at (\S+:\d+)")[1]


def nodes_of(address: str) -> dict[str, NodeStatus]:
    connection = ClientConnection(f"grpc://{address}")
    try:
        found: Nodes = decode(connection.action("nodes", b"", 10.0)[0], Nodes)
    finally:
        connection.close()
    return {node.name: node for node in found.nodes if node.state == "alive"}


def query(address: str, sql: str = "select 6 * 7 as answer") -> str:
    with flightmesh("sql", "--driver", address, sql, "--format", "csv") as command:
        assert command.wait_code() == 0, command.said
        return command.said


def has_running(address: str) -> bool:
    connection = ClientConnection(f"grpc://{address}")
    try:
        found: Jobs = decode(connection.action("jobs", b"", 10.0)[0], Jobs)
    finally:
        connection.close()
    return any(job.state == "running" for job in found.jobs)


def wait_gone(pids: list[int]) -> None:
    wait_until(lambda: not any(is_alive(pid) for pid in pids), 15, f"{pids} to end")


def test_a_mesh_runs_until_ctrl_c() -> None:
    with flightmesh(*UP, FLIGHTMESH_LOG="text") as up:
        address = address_of(up)
        nodes = nodes_of(address)
        assert sorted(nodes) == ["driver", "worker-1", "worker-2"]
        assert (nodes["worker-1"].slots, nodes["worker-1"].memory) == (1, 256 << 20)
        assert query(address).split() == ["answer", "42"]
        up.signal(signal.SIGINT)
        assert up.wait_code() == 0
        wait_gone([node.pid for node in nodes.values()])
    lines = up.said.splitlines()
    assert all(re.match(r"(driver|worker-1|worker-2) \| |mesh |  flightmesh", line) for line in lines), up.said
    last = {name: max(n for n, line in enumerate(lines) if line.startswith(f"{name} | ")) for name in nodes}
    assert last["driver"] > max(last["worker-1"], last["worker-2"])
    assert "error" not in up.said


def test_ctrl_c_ends_a_query_that_runs_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "n.parquet"
    pq.write_table(pa.table({"i": range(100_000)}), path, row_group_size=10_000)
    endless = f"select count(*) from '{path}' a, '{path}' b, '{path}' c where a.i + b.i + c.i = -1"
    with flightmesh(*OF_ONE, FLIGHTMESH_LOG="text") as up:
        address = address_of(up)
        nodes = nodes_of(address)
        with flightmesh("sql", "--driver", address, endless) as client:
            wait_until(lambda: has_running(address), 40, "the query to run")
            up.signal(signal.SIGINT)
            assert client.wait_code() == 1
            assert client.said == "cancelled: the driver went down\n"
        assert up.wait_code() == 0
        wait_gone([node.pid for node in nodes.values()])
    assert "cancelled after" in up.said


def test_logs_are_json_where_no_terminal_is() -> None:
    with flightmesh(*OF_ONE) as up:
        address_of(up)
        up.signal(signal.SIGINT)
        assert up.wait_code() == 0
    logged = [json.loads(line) for line in up.said.splitlines() if line.startswith("{")]
    assert {line["node"] for line in logged} == {"driver", "worker-1"}
    rest = [line for line in up.said.splitlines() if not line.startswith(("{", "mesh ", "  flightmesh"))]
    assert not rest


def test_a_worker_that_dies_is_reported_and_the_others_go_on() -> None:
    with flightmesh(*UP) as up:
        address = address_of(up)
        nodes = nodes_of(address)
        worker = nodes["worker-2"].pid
        signal_to(worker, signal.SIGKILL)
        up.wait_said(r"error: node worker-2 was killed by SIGKILL")
        wait_until(lambda: sorted(nodes_of(address)) == ["driver", "worker-1"])
        assert query(address).split() == ["answer", "42"]
        up.signal(signal.SIGTERM)
        assert up.wait_code() == 0
        wait_gone([node.pid for node in nodes.values()])


def test_a_mesh_whose_driver_dies_ends() -> None:
    with flightmesh(*OF_ONE) as up:
        nodes = nodes_of(address_of(up))
        signal_to(nodes["driver"].pid, signal.SIGKILL)
        assert up.wait_code() == 1
        wait_gone([node.pid for node in nodes.values()])
    assert "error: node driver was killed by SIGKILL" in up.said


def test_nothing_outlives_one_that_was_killed() -> None:
    with flightmesh(*OF_ONE) as up:
        nodes = nodes_of(address_of(up))
        up.signal(signal.SIGKILL)
        up.process.wait(10)
        wait_gone([node.pid for node in nodes.values()])


def test_a_stopped_worker_does_not_keep_it_from_ending() -> None:
    with flightmesh(*UP) as up:
        nodes = nodes_of(address_of(up))
        signal_to(nodes["worker-1"].pid, signal.SIGSTOP)
        up.signal(signal.SIGINT)
        wait_until(lambda: not is_alive(nodes["worker-2"].pid))
        up.signal(signal.SIGINT)
        assert up.wait_code(40) == 0
        wait_gone([node.pid for node in nodes.values()])


def test_a_port_that_is_taken_is_said() -> None:
    with flightmesh(*OF_ONE) as first:
        port = address_of(first).rpartition(":")[2]
        with flightmesh("up", "--insecure", "--workers", "1", "--port", port) as second:
            assert second.wait_code() == 1
        assert "cannot listen at" in second.said
        assert "is the port in use? give another" in second.said
        assert "`up --port N`" in second.said
        assert "error: node driver ended with code" in second.said
        first.signal(signal.SIGINT)
        assert first.wait_code() == 0


def test_the_example_runs() -> None:
    with flightmesh("up", "--insecure", str(THREE), "--port", "0", "--memory", "128MiB") as up:
        address = address_of(up)
        assert sorted(nodes_of(address)) == ["driver", "one", "three", "two"]
        up.signal(signal.SIGINT)
        assert up.wait_code() == 0


def test_the_example_declares_three_workers() -> None:
    mesh = load_mesh(THREE)
    assert (mesh.mesh, mesh.driver.name, mesh.driver.port) == ("three", "driver", 8815)
    assert [(node.name, node.slots, node.memory, node.disk) for node in mesh.workers] == [
        (name, 1, 1 << 30, 10 << 30) for name in ("one", "two", "three")
    ]


DRIVER = "nodes:\n  - {name: d, role: driver}\n"


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "there is no 'nodes'", (1, 1)),
        ("nodes: 3\n", "nodes: Input should be a valid tuple", (1, 8)),
        ("nodes: []\n", "nodes: a mesh has one node with the role driver, this one has 0", (1, 8)),
        (DRIVER, "at least one node with the role worker", (2, 3)),
        (DRIVER + "  - {name: e, role: driver}\n", "this one has 2", (2, 3)),
        (DRIVER + "  - {name: d, role: worker}\n", "two nodes are named 'd'", (2, 3)),
        (DRIVER + "  - {name: w, role: worker, slots: 0}\n", "nodes.1.slots: Input should be greater", (3, 36)),
        (DRIVER + "  - {name: w, role: worker, memory: lots}\n", "nodes.1.memory: not a size: 'lots'", (3, 37)),
        (DRIVER + "  - name: w\n    role: waiter\n", "nodes.1.role: Input should be 'driver' or 'worker'", (4, 11)),
        (DRIVER + "  - name: w\n    role: worker\n    slot: 1\n", "there is no setting 'nodes.1.slot'", (5, 5)),
        (DRIVER + "  - {role: worker}\n", "nodes.1 has no 'name'", (3, 5)),
        (DRIVER + "  - {name: w, role: worker, port: 1}\n", "a worker takes any free port", (3, 5)),
        (DRIVER + "  - {name: 'a b', role: worker}\n", "nodes.1.name: String should match", (3, 12)),
        ("nodes:\n  - {name: d, role: driver, slots: 1}\n", "a driver runs no tasks", (2, 5)),
        ("mash: x\n" + DRIVER, "there is no setting 'mash'", (1, 1)),
        ("- a\n", "a mesh is a map with the key nodes", (1, 1)),
    ],
)
def test_mistakes_in_the_file_are_placed(tmp_path: Path, text: str, message: str, place: tuple[int, int]) -> None:
    path = tmp_path / "mesh.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfig) as caught:
        load_mesh(path)
    assert message in caught.value.message
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == place
    assert f"{path}:{place[0]}:{place[1]}" in str(caught.value)


def test_a_misspelt_setting_of_a_node_has_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "mesh.yaml"
    path.write_text(DRIVER + "  - {name: w, role: worker, memry: 1GiB}\n")
    with pytest.raises(InvalidConfig) as caught:
        load_mesh(path)
    assert caught.value.hint == "did you mean 'memory'?"


def signal_to(pid: int, number: signal.Signals) -> None:
    """To a process that this test's `up` started."""
    import os

    os.kill(pid, number)

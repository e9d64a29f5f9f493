"""What README shows is run as it stands there, but for the two set-up commands and the paths that a reader fills in."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BEFORE_MESH, _, AFTER = README.partition("\n## A mesh\n")
MESH, _, REST = AFTER.partition("\n## ")


def commands_in(text: str) -> list[str]:
    found = [line.strip() for line in text.splitlines() if line.startswith("    flightmesh ")]
    return [line for line in found if "/path/to/" not in line and not line.startswith("flightmesh shell")]


COMMANDS = commands_in(BEFORE_MESH + REST)
NODES = ("flightmesh up", "flightmesh driver", "flightmesh worker")
AT_A_MESH = [line for line in commands_in(MESH) if not line.startswith(NODES)]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PLANS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module", autouse=True)
def flights() -> None:
    subprocess.run([sys.executable, ROOT / "nodes" / "example_data.py"], check=True)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **more}


def run(command: list[str], **more: str) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment(**more), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_readme_shows_something() -> None:
    assert len(COMMANDS) >= 4
    assert len(PYTHON) == len(PLANS) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(command: str, tmp_path: Path) -> None:
    run(["bash", "-c", command.replace("> plan.schema.json", f"> {tmp_path}/plan.schema.json")])


def test_a_mesh(tmp_path: Path) -> None:
    """The mesh of README, at any free port, asked what README asks it, and ended with Ctrl-C."""
    (up,) = (line for line in commands_in(MESH) if line.startswith("flightmesh up"))
    command = [*up.partition("#")[0].split(), "--port", "0"]
    assert len(AT_A_MESH) >= 4
    with (tmp_path / "logs").open("wb") as logs:
        mesh = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=logs, text=True, start_new_session=True
        )
    try:
        assert mesh.stdout is not None
        ready = re.search(r"a driver and 3 workers at (\S+)", mesh.stdout.readline())
        assert ready, (tmp_path / "logs").read_text()
        for asked in AT_A_MESH:
            assert run(["bash", "-c", asked], FLIGHTMESH_DRIVER=ready[1])
        mesh.send_signal(signal.SIGINT)
        assert mesh.wait(30) == 0
    finally:
        mesh.kill()
        mesh.communicate()


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

"""What README shows is run as it stands there, but for the two set-up commands and the paths that a reader fills in."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.strip()
    for line in README.splitlines()
    if line.startswith("    flightmesh ") and "/path/to/" not in line and not line.startswith("    flightmesh shell")
]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PLANS = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module", autouse=True)
def flights() -> None:
    subprocess.run([sys.executable, ROOT / "nodes" / "example_data.py"], check=True)


def run(command: list[str]) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_readme_shows_something() -> None:
    assert len(COMMANDS) >= 4
    assert len(PYTHON) == len(PLANS) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(command: str, tmp_path: Path) -> None:
    run(["bash", "-c", command.replace("> plan.schema.json", f"> {tmp_path}/plan.schema.json")])


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

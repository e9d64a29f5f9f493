"""docs/flight.md against a running mesh: its example as a program of its own, and the actions that it lists."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.flight as flight
import pytest

from tests.node.loopback import Loopback, loopback

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "flight.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"<!-- example -->\n```python\n(.*?)```\n<!-- end -->", re.DOTALL)


@pytest.fixture(scope="module")
def mesh() -> object:
    with loopback() as running:
        yield running


def test_the_example_runs_without_flightmesh(mesh: Loopback, tmp_path: Path) -> None:
    found = EXAMPLE.search(TEXT)
    assert found is not None
    program = found[1].replace("grpc://127.0.0.1:8815", mesh.driver.client_uri)
    assert program != found[1]
    checked = f"{program}\nimport sys\nassert not [name for name in sys.modules if name.startswith('flightmesh')]\n"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-c", checked], capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment, check=False
    )
    assert ran.returncode == 0, ran.stderr
    rows = [row for line in ran.stdout.splitlines() for row in ast.literal_eval(line)]
    assert sorted(row["n"] for row in rows) == [2, 3, 4]
    assert all(row["square"] == row["n"] ** 2 for row in rows)


def test_every_action_of_every_listener_is_documented(mesh: Loopback) -> None:
    texts = TEXT + (DOCS / "flight-sql.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([A-Za-z-]+)`", "\n".join(line for line in texts.splitlines() if line.startswith("| `"))))
    worker = mesh.driver.mesh.workers()[0]
    for uri in (mesh.driver.client_uri, mesh.driver.mesh_uri, worker.mesh, worker.client):
        with flight.connect(uri) as client:
            listed = {kind.type: kind.description for kind in client.list_actions()}
        assert set(listed) <= documented
        assert all(listed.values())

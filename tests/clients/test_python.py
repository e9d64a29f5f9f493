"""docs/clients/python: the client in Python, as a program of its own, at a mesh."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path

from tests.clients.programs import CLIENTS, program
from tests.clients.scenarios import AT_ONE_MESH, EVERY_SCENARIO, Surroundings
from tests.mesh.cluster import Cluster

pytestmark = AT_ONE_MESH


@EVERY_SCENARIO
def test_scenario(scenario: Callable[[Surroundings], None], mesh: Cluster, settings: dict[str, str], tmp_path: Path) -> None:
    scenario(Surroundings(program("python"), mesh, settings, tmp_path))


def test_it_needs_pyarrow_and_msgpack_only() -> None:
    tree = ast.parse((CLIENTS / "python" / "client.py").read_text())
    imported = {alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported - set(sys.stdlib_module_names) == {"pyarrow", "msgpack"}

"""docs/clients/cpp: the client in C++, as a program of its own, at a mesh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.clients.programs import program
from tests.clients.scenarios import AT_ONE_MESH, EVERY_SCENARIO, Surroundings
from tests.mesh.cluster import Cluster

pytestmark = AT_ONE_MESH


@EVERY_SCENARIO
def test_scenario(scenario: Callable[[Surroundings], None], mesh: Cluster, settings: dict[str, str], tmp_path: Path) -> None:
    scenario(Surroundings(program("cpp"), mesh, settings, tmp_path))

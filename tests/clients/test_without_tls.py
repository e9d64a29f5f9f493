"""The clients at a mesh that was started with --insecure: nothing but an address is needed."""

from __future__ import annotations

import pytest

from tests.clients.programs import LANGUAGES, program
from tests.meshes import Meshes


@pytest.mark.xdist_group("mesh-get")
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_address_is_enough(language: str, meshes: Meshes) -> None:
    ran = program(language).run({"FLIGHTMESH_DRIVER": meshes.of("get").uri}, "sql", "select k, name from p where name = 'deux'")
    assert ran.lines == [["k", "name"], [2, "deux"]]

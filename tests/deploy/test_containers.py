"""The image's recipe and the compose file, which no engine builds here: what can be checked of them without one."""

import json
import re

import pytest
from compose_spec import PyCompose
from ruamel.yaml import YAML

from tests.deploy.manifests import COMPOSE, NODES, services

ROOT = NODES.parent
DOCKERFILE = (NODES / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()


def specified(text: str) -> PyCompose:
    """The compose file by its specification, what YAML merges merged. Raises ValueError."""
    return PyCompose.from_json(json.dumps(YAML(typ="safe").load(text)))


def test_the_compose_file_keeps_to_the_specification() -> None:
    text = COMPOSE.read_text()
    assert set(specified(text).services or {}) == {"token", "driver", "worker"}
    with pytest.raises(ValueError, match="stop_grace"):
        specified(text.replace("stop_grace_period", "stop_grace"))


def test_the_volumes_of_the_compose_file_are_declared() -> None:
    declared = set(specified(COMPOSE.read_text()).volumes or {})
    used = {mount.partition(":")[0] for service in services().values() for mount in service["volumes"]}
    assert used == declared


def test_only_the_driver_and_who_makes_it_see_the_authority() -> None:
    """The folder that holds the key which signs every certificate."""
    seen = {name for name, service in services().items() for mount in service["volumes"] if mount.startswith("state:")}
    assert seen == {"token", "driver"}


def test_services_wait_for_those_that_are_there() -> None:
    for service in services().values():
        assert set(service.get("depends_on", ())) <= set(services())


def test_the_image_installs_by_the_script_alone() -> None:
    instructions = re.sub(r"\\\n\s*", "", DOCKERFILE).splitlines()
    (run,) = [line for line in instructions if line.startswith("RUN ")]
    assert run.startswith("RUN /usr/src/flightmesh/nodes/install.sh --source /usr/src/flightmesh --no-units")
    assert instructions.index("USER flightmesh") > instructions.index(run)
    assert 'ENTRYPOINT ["flightmesh"]' in instructions


def test_what_the_image_needs_is_not_ignored() -> None:
    """The context begins empty: what is let in is what the build and the script use."""
    let_in = {line[1:] for line in IGNORED if line.startswith("!")}
    assert IGNORED[1] == "*"
    assert all((ROOT / path).exists() for path in let_in)
    pyproject = (ROOT / "pyproject.toml").read_text()
    needed = {"flightmesh", "nodes/install.sh", "configs", "pyproject.toml"}
    needed |= set(re.findall(r'^readme = "(.+)"', pyproject, re.MULTILINE))
    needed |= set(re.findall(r'^license-files = \["(.+)"\]', pyproject, re.MULTILINE))
    assert let_in == needed

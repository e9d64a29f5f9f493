"""configs/ is what the model says: every key of a role, with its meaning, its variable and its default."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flightmesh.config import Config
from flightmesh.setting_kinds import Role
from flightmesh.settings import load
from flightmesh.settings.example import ROLES, example
from flightmesh.settings.keys import KEYS, keys_of, meaning

CONFIGS = Path(__file__).parents[2] / "configs"


def file_of(role: Role) -> Path:
    return CONFIGS / f"{role}.yaml"


@pytest.mark.parametrize("role", ROLES)
def test_the_file_is_up_to_date(role: Role, update_goldens: bool) -> None:
    if update_goldens:
        file_of(role).write_text(example(role), encoding="utf-8")
    assert file_of(role).read_text(encoding="utf-8") == example(role), "run with --update-goldens and read what changed"


@pytest.mark.parametrize("role", ROLES)
def test_the_file_holds_the_defaults(role: Role) -> None:
    assert load(file_of(role), role) == Config()


@pytest.mark.parametrize("role", ROLES)
def test_the_file_names_every_key_of_the_role(role: Role) -> None:
    document = YAML(typ="safe").load(file_of(role).read_text().replace("# threads: 8", "threads: 8"))
    written = [
        f"{name}.{key}" if isinstance(value, dict) else name for name, value in document.items() for key in _inner(value)
    ]
    assert written == [key.path for key in keys_of(role)]


def _inner(value: object) -> list[str]:
    return list(value) if isinstance(value, dict) else [""]


@pytest.mark.parametrize("role", ROLES)
def test_the_variables_of_the_comments_exist(role: Role) -> None:
    named = re.findall(r"FLIGHTMESH_[A-Z_]+", file_of(role).read_text())
    known = {variable for key in keys_of(role) for variable in key.variables}
    assert set(named) - {"FLIGHTMESH_TOKEN"} == known


@pytest.mark.parametrize("path", KEYS)
def test_every_key_says_what_it_means(path: str) -> None:
    said = meaning(KEYS[path])
    assert said.endswith(".")
    assert (said[0].isupper() and len(said) > 20) or said.startswith("mDNS")

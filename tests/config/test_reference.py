"""docs/configuration.md and the JSON Schema are what the model says."""

from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from flightmesh.errors import InvalidConfig
from flightmesh.setting_kinds import Role
from flightmesh.settings.example import ROLES, written
from flightmesh.settings.keys import KEYS, SECTIONS, keys_of
from flightmesh.settings.reference import find, reference
from flightmesh.settings.schema import schema
from tests.config.test_effective import EXAMPLES
from tests.config.test_file import EVERYWHERE, OF_A_DRIVER, OF_A_WORKER

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "configuration.md"


def test_docs_configuration_is_up_to_date(update_goldens: bool) -> None:
    text = reference()
    if update_goldens:
        DOCUMENT.write_text(text, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == text, "run the test with --update-goldens and read what changed"


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("node.port", ["node.port"]),
        ("port", ["node.port"]),
        ("memory", ["memory"]),
        ("FLIGHTMESH_MESH", ["node.mesh"]),
        ("--slots", ["threads"]),
        ("--driver", ["node.driver"]),
        ("planner", [f"planner.{name}" for name in SECTIONS["planner"].__dataclass_fields__]),  # type: ignore[attr-defined]
    ],
)
def test_keys_are_found_by_all_their_names(name: str, paths: list[str]) -> None:
    assert [key.path for key in find(name)] == paths


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("node.prot", "did you mean 'node.port'?"),
        ("FLIGHTMESH_NODE_LISTN", "did you mean 'FLIGHTMESH_NODE_LISTEN'?"),
        ("#", ""),
    ],
)
def test_an_unknown_key_has_a_near_one(name: str, hint: str) -> None:
    with pytest.raises(InvalidConfig, match="there is no setting") as caught:
        find(name)
    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize("role", [*Role, None])
def test_the_schema_is_one(role: Role | None) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(role))


@pytest.mark.parametrize("role", ROLES)
def test_the_schema_takes_the_example(role: Role) -> None:
    document = YAML(typ="safe").load((ROOT / "configs" / f"{role}.yaml").read_text())
    jsonschema.validate(document, schema(role))


@pytest.mark.parametrize("role", Role)
def test_the_schema_takes_every_value(role: Role) -> None:
    """As `written` puts it in a file: texts that look like numbers in quotes, lists in brackets."""
    for key in keys_of(role):
        text = f"{key.name}: {written(key, EXAMPLES[key.path][1])}"
        document = YAML(typ="safe").load(f"{key.section}: {{{text}}}" if key.section else text)
        jsonschema.validate(document, schema(role))


VALUES = [
    (role, text)
    for role, mistakes in ((Role.EMBEDDED, EVERYWHERE), (Role.DRIVER, OF_A_DRIVER), (Role.WORKER, OF_A_WORKER))
    for text, *_ in mistakes
    if "[1\n" not in text and text[-11:] != "threads: 2\n" and ".nan" not in text
]


@pytest.mark.parametrize(("role", "text"), VALUES)
def test_the_schema_refuses_what_the_loader_does(role: Role, text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe").load(text), schema(role))


def test_the_schema_of_all_has_every_key() -> None:
    properties = schema()["properties"]
    assert [
        f"{name}.{inner}" if name in SECTIONS else name
        for name, value in properties.items()
        for inner in (value["properties"] if name in SECTIONS else [""])
    ] == list(KEYS)

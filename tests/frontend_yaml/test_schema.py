"""The JSON Schema is made from the models that validate: they agree, and every key says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from flightmesh.frontend.yaml.document import read_document
from flightmesh.frontend.yaml.model import Plan
from flightmesh.frontend.yaml.schema import schema
from flightmesh.frontend.yaml.validation import validate
from tests.frontend_yaml.example import PLAN

PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))


def accepts(value: Any) -> bool:
    return jsonschema.Draft202012Validator(schema()).is_valid(value)


def properties(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(part, dict):
        for name, entry in (part.get("properties") or {}).items():
            yield f"{path}.{name}", entry
        for key, entry in part.items():
            yield from properties(entry, f"{path}.{key}")
    elif isinstance(part, list):
        for entry in part:
            yield from properties(entry, path)


def test_it_is_a_schema_of_draft_2020_12() -> None:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    assert made["$schema"].endswith("2020-12/schema")
    assert made["$id"]


def test_every_key_has_a_description() -> None:
    found = dict(properties(schema()))
    assert len(found) > 40
    assert [path for path, entry in found.items() if not entry.get("description")] == []


def test_the_examples_in_it_are_plans() -> None:
    for example in schema()["examples"]:
        assert accepts(example)
        Plan.model_validate(example)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_the_plans_that_come_along_fit_it(path: Path) -> None:
    assert accepts(read_document(path.read_text(), path.name).root.plain())


CHANGES = {
    "as documented": ("", "", True),
    "unknown key": ("where:", "wher:", False),
    "number as text": ("[name]", "[3]", False),
    "one for a list": ("[name]", "name", True),
    "named group": ("[name]", "[{n: upper(name)}]", True),
    "kind of join": ("how: left", "how: outer", False),
    "two sources": ("from: late", "from: late\n    values: [{a: 1}]", False),
    "no source": ("from: flights, ", "", False),
    "two formats": ("{parquet: data/flights}", "{parquet: a, csv: b}", False),
    "several paths": ("{parquet: data/flights}", "{parquet: [a, b]}", True),
    "storage": ("{parquet: data/flights}", "{parquet: s3://b/x, storage: {region: eu-west-1, anonymous: true}}", True),
    "union": ("{from: flights, where:", "{union: [flights, airlines], where:", True),
    "union all": ("{from: flights, where:", "{union: {all: [flights, airlines]}, where:", True),
    "union of one": ("{from: flights, where:", "{union: [flights], where:", False),
    "limit": ("limit: 10", "limit: -1", False),
    "limit by parameter": ("limit: 10", 'limit: ":month"', True),
    "parameter type": ("type: date", "type: dates", False),
    "name": ("month: 6", "a-b: 6", False),
    "distinct": ("limit: 10", "distinct: maybe", False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_schema_and_models_accept_the_same(name: str) -> None:
    old, new, fits = CHANGES[name]
    text = PLAN.replace(old, new, 1) if old else PLAN
    read = read_document(text, "p.yaml")
    assert accepts(read.root.plain()) is fits
    if fits:
        validate(read)
    else:
        with pytest.raises(Exception, match=r"p\.yaml:\d+:\d+"):
            validate(read)

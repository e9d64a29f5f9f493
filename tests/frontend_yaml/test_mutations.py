"""Whatever a person does to a plan, the answer is a plan or an error with its place: never a crash."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from flightmesh.catalog.catalog import Catalog
from flightmesh.errors import InvalidInput, InvalidPlan
from flightmesh.frontend.yaml.plan import plan_file, read_plan
from flightmesh.ids import ColumnIds
from tests.frontend_yaml.example import PLAN, write_example

CASES = 400
_PIECES = (
    *"[]{}:,'\"*|>#-?!%@()\\é;", "\n", "  ", "\t", "&a ", "<<: *a", "null", "1", "true", "- x", "on", "where", "select", "from",
    "::", "--", "/*", "$1", ":month", "{month}", "---\n", "\ufeff", "\x00",
)  # fmt: skip


def mutated(rng: random.Random, text: str) -> str:
    """The text with a part cut out, something put in, or a line moved or indented otherwise."""
    lines, at = text.split("\n"), rng.randrange(len(text) or 1)
    number = rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            return text[:at] + text[at + rng.randint(1, 8) :]
        case 1:
            return text[:at] + rng.choice(_PIECES) + text[at:]
        case 2:
            lines.insert(rng.randrange(len(lines)), lines.pop(number))
        case _:
            lines[number] = " " * rng.randint(0, 6) + lines[number].lstrip()
    return "\n".join(lines)


def test_a_mutated_plan_is_a_plan_or_an_error_with_its_place(tmp_path: Path) -> None:
    write_example(tmp_path)
    outcomes = {"plan": 0, "error": 0}
    for seed in range(CASES):
        rng = random.Random(seed)
        text = PLAN
        for _ in range(rng.choice((1, 1, 2))):
            text = mutated(rng, text)
        try:
            given = {"since": "2013-01-01"}
            plan_file(read_plan(text, "p.yaml", tmp_path), catalog=Catalog(), params=given, ids=ColumnIds())
            outcomes["plan"] += 1
        except (InvalidPlan, InvalidInput) as error:
            assert error.position is not None, f"seed {seed}: {error}"
            outcomes["error"] += 1
        except Exception as error:
            pytest.fail(f"seed {seed}: {type(error).__name__}: {error}\n{text}")
    assert min(outcomes.values()) > CASES // 20

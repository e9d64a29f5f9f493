"""The plans of all 121 queries are those that were read and committed: plans/BENCHMARK/qNN.txt.

`pytest tests/golden --update-goldens` writes them anew. Read what changed before you commit.
"""

from __future__ import annotations

import pytest

from tests.golden.plans import NAMES, Name, Planner
from tests.golden.text import FOLDER, golden_path, golden_text, with_own_ids


@pytest.mark.parametrize("name", NAMES, ids=str)
def test_the_plan_is_as_committed(plans: Planner, name: Name, update_goldens: bool) -> None:
    text = golden_text(plans, name)
    if update_goldens:
        golden_path(name).parent.mkdir(parents=True, exist_ok=True)
        golden_path(name).write_text(text)
    assert text.splitlines() == golden_path(name).read_text().splitlines()


def test_there_is_no_other_file() -> None:
    assert {path for path in FOLDER.rglob("*") if path.is_file()} == {golden_path(name) for name in NAMES}


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("a#7 = b#3 AND a#9 > a#7", "a = b AND a#2 > a"),
        ("sum(x#1)#4, sum(x#1)#5, (a#2 + 1)#6", "sum(x), sum(x)#2, (a + 1)"),
        ("name#8 = 'Brand#12' AND other#8 = 'it''s #3'", "name = 'Brand#12' AND other = 'it''s #3'"),
        ("Shared a#4; Reference [b#5 = #4, c#6 = #9]", "Shared a; Reference [b = a, c = ]"),
    ],
)
def test_columns_are_numbered_among_those_of_their_name(text: str, own: str) -> None:
    assert with_own_ids(text) == own

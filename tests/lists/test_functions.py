"""Every function of lists is compared with DuckDB somewhere; what is not done yet is refused by name and place."""

from __future__ import annotations

import re

import pytest

import flightmesh
from flightmesh.errors import UnsupportedFeature
from flightmesh.expression.functions.known import FUNCTIONS
from tests.lists.queries import queries
from tests.lists.test_against_duckdb import SUBJECTS

WRITTEN = {
    "list_value": "[1,2", "list_joined": "||", "equal_any": "= any(", "not_equal_any": "= all(", "less_any": "< any(",
    "less_equal_any": "> all(", "greater_any": "> any(", "greater_equal_any": "< all(", "range": "range(",
}  # fmt: skip
"""Functions that queries write as operators."""


def test_every_function_of_lists_is_compared() -> None:
    texts = "\n".join(query.lower() for subject in SUBJECTS for query in queries(subject))
    called = set(re.findall(r"\w+(?=\()", texts))
    missing = [
        name
        for name, function in FUNCTIONS.items()
        if function.category == "list"
        and not {name, *function.aliases} & called
        and WRITTEN.get(name, "\0") not in texts
        and name != "list_key"  # what comparisons of lists become
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("query", "column"),
    [
        ("select list_zip([1], [2])", 8),
        ("select list_transform([1], x -> x + 1)", 8),
        ("select list_filter([1], lambda x: x > 1)", 8),
        ("select [x + 1 for x in [1]]", 9),
        ("select {'a': 1}", 14),
        ("select [1]::int[2]", 9),
        ("select list(distinct xs) from (select [1] xs)", 8),
        ("select list_aggregate([1], 'corr')", 8),
        ("select list_resize([1], 2)", 8),
    ],
)
def test_what_is_not_done_is_refused(query: str, column: int) -> None:
    with flightmesh.connect() as session, pytest.raises(UnsupportedFeature) as caught:
        session.sql(query)
    assert caught.value.position is not None
    assert caught.value.position.column == column

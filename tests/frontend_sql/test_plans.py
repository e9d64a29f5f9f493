"""The plans that queries become, as text: each file holds a query, a line of dashes, and its plan.

`pytest --update-goldens` writes the plans anew; read the difference before it is committed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from flightmesh.logical.text import format_relation
from tests.frontend_sql.tables import query

GOLDENS = sorted((Path(__file__).parent / "goldens").glob("*.txt"))
_LINE = "\n----\n"


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_plan(path: Path, update_goldens: bool) -> None:
    text, _, expected = path.read_text().partition(_LINE)
    got = format_relation(query(text).relation)
    if update_goldens:
        path.write_text(f"{text}{_LINE}{got}\n")
        return
    assert got == expected.rstrip("\n")


def test_there_are_goldens() -> None:
    assert len(GOLDENS) >= 20

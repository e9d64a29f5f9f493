"""The document of functions is what the registry says."""

from __future__ import annotations

from pathlib import Path

from flightmesh.expression.functions.declare import ScalarFunction
from flightmesh.expression.functions.known import FUNCTIONS
from flightmesh.expression.listing import functions_markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "functions.md"


def test_docs_functions_is_up_to_date(update_goldens: bool) -> None:
    text = functions_markdown()
    if update_goldens:
        DOCUMENT.write_text(text, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == text, "run the test with --update-goldens and read what changed"


def test_every_function_says_what_it_does() -> None:
    def complete(function: ScalarFunction) -> bool:
        return function.doc.endswith(".") and function.doc[0].isupper() | function.doc[0].isdigit() | (function.doc[0] in "-e")

    assert [name for name, function in FUNCTIONS.items() if not complete(function)] == []

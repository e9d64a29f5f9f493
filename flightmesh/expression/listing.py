"""The registry as a document: every function with its calls, names and meaning.

Handed nothing but the registry, hands on Markdown. What always holds: the text depends on the registry only, so that a test can
tell when the document in docs/ is out of date.
"""

from __future__ import annotations

from collections.abc import Iterable

from flightmesh.expression.aggregates import AGGREGATES
from flightmesh.expression.functions.declare import ScalarFunction
from flightmesh.expression.functions.known import FUNCTIONS
from flightmesh.expression.signatures import describe_signatures
from flightmesh.expression.windows import WINDOW_FUNCTIONS

_CHAPTERS = {
    "conditional": "Conditional functions",
    "string": "Text functions",
    "regex": "Regular expressions",
    "math": "Mathematical functions",
    "list": "Lists",
    "date": "Dates, times and intervals",
    "arithmetic": "Arithmetic operators",
    "comparison": "Comparisons",
    "logic": "Logic",
}

_HEAD = """# Functions

Written by `flightmesh.expression.listing` from the registry; do not edit. Names, types and results are DuckDB's; where a rule
is worth saying (NULL, NaN, decimals, overflow) it is in [semantics.md](semantics.md). Names in brackets are aliases.
"""


_WINDOWS = """These stand before `OVER` only. Every aggregate may stand there too, over any frame (`ROWS`, `RANGE` and `GROUPS`,
with distances and `EXCLUDE`), with `DISTINCT`, `FILTER` and `ORDER BY`. `lag`, `lead`, `first_value`, `last_value` and
`nth_value` take `IGNORE NULLS`."""


def functions_markdown() -> str:
    """The whole document."""
    parts = [_HEAD]
    for category, title in _CHAPTERS.items():
        found = sorted((f for f in FUNCTIONS.values() if f.category == category), key=lambda f: f.name)
        parts.append(_chapter(title, (_row(function) for function in found)))
    rows = (
        _line(entry.name, entry.aliases, (entry.usage,), entry.doc)
        for entry in sorted(AGGREGATES.values(), key=lambda e: e.name)
    )
    parts.append(_chapter("Aggregates", rows))
    windows = (_line(name, (), (entry.usage,), entry.doc) for name, entry in sorted(WINDOW_FUNCTIONS.items()))
    parts.append(_chapter("Window functions", windows, _WINDOWS))
    return "\n".join(parts)


def _chapter(title: str, rows: Iterable[str], head: str | None = None) -> str:
    said = () if head is None else (head, "")
    return "\n".join([f"## {title}", "", *said, "| function | calls | meaning |", "|---|---|---|", *rows, ""])


def _row(function: ScalarFunction) -> str:
    return _line(function.name, function.aliases, describe_signatures(function), function.doc)


def _line(name: str, aliases: tuple[str, ...], calls: Iterable[str], doc: str) -> str:
    others = f" ({', '.join(f'`{_escaped(alias)}`' for alias in aliases)})" if aliases else ""
    shown = "<br>".join(f"`{_escaped(call)}`" for call in calls)
    return f"| `{name}`{others} | {shown} | {_escaped(doc)} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")

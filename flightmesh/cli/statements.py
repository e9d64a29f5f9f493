"""Cuts a text into SQL statements at its semicolons.

Handed a text; hands on statements with the place where each begins. What always holds: a semicolon inside a string, a quoted
name or a comment ends nothing, and no statement is blank.
"""

from __future__ import annotations

import re

from flightmesh.dataclass import dataclass

# One alternative a thing that may hold a semicolon; the unterminated forms run to the end of the text.
_OPAQUE = re.compile(
    r"--[^\n]*"
    r"|/\*(?:.*?\*/|.*\Z)"
    r"|'(?:[^']|'')*(?:'|\Z)"
    r'|"(?:[^"]|"")*(?:"|\Z)'
    r"|`[^`]*(?:`|\Z)"
    r"|(?P<tag>\$(?:[A-Za-z_]\w*)?\$)(?:.*?(?P=tag)|.*\Z)"
    r"|;",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """One statement. `text` has blanks where the statements before it stood, so that its positions are the whole text's."""

    text: str
    ended: bool


def split_statements(text: str) -> list[SqlStatement]:
    """The statements of `text`; the last one may lack its semicolon."""
    found: list[SqlStatement] = []
    start = 0
    for match in _OPAQUE.finditer(text):
        if match[0] == ";":
            found.append(SqlStatement(_blanked(text, start, match.start()), ended=True))
            start = match.end()
    found.append(SqlStatement(_blanked(text, start, len(text)), ended=False))
    return [statement for statement in found if _says_something(statement.text)]


def is_complete(text: str) -> bool:
    """Whether nothing of `text` waits for a semicolon."""
    statements = split_statements(text)
    return all(statement.ended for statement in statements)


def is_explain(text: str) -> bool:
    """Whether the statement asks for a plan: its rows are lines of text."""
    return bool(re.match(r"explain\b", _without_comments(text).lstrip(), re.IGNORECASE))


def _blanked(text: str, start: int, end: int) -> str:
    return re.sub(r"[^\n]", " ", text[:start]) + text[start:end]


def _says_something(text: str) -> bool:
    return bool(_without_comments(text).strip())


def _without_comments(text: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?(?:\*/|\Z)", "", text, flags=re.DOTALL)

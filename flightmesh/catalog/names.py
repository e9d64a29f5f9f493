"""Names of tables as people write them, and their parts.

Handed one text or the parts of a name; hands on the other. What always holds: a part that has a dot or a quote is written in
quotes, so that the text of a name gives its parts back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flightmesh.errors import InvalidQuery

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_SPECIAL = re.compile(r'[".]')


def split_name(text: str) -> tuple[str, ...]:
    """The parts of `table`, `schema.table` or `catalog.schema.table`. Raises InvalidQuery for what is none of them.

    A part may have blanks and signs as it is; one with a dot is written in double quotes.
    """
    parts: list[str] = []
    position = 0
    while (found := _PART.match(text, position)) is not None:
        parts.append(found[2] if found[1] is None else found[1].replace('""', '"'))
        position = found.end()
        if position == len(text) or text[position] != ".":
            break
        position += 1
    if position != len(text) or text.endswith(".") or not 1 <= len(parts) <= 3:
        hint = "a name is table, schema.table or catalog.schema.table; quote a part that has dots: '\"a.b\"'"
        raise InvalidQuery(f"{text!r} is not a table name", hint=hint)
    return tuple(parts)


def join_name(parts: Sequence[str]) -> str:
    """The text of a name."""
    return ".".join('"{}"'.format(part.replace('"', '""')) if _SPECIAL.search(part) else part for part in parts)

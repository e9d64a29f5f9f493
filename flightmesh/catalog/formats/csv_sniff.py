"""Guesses what a CSV file does not say: the delimiter, and whether its first line is a header.

Handed the first lines; hands on a guess. What always holds: a guess is made from whole records, quoted as the options say.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from flightmesh.catalog.formats.csv_options import CsvOptions
from flightmesh.catalog.text_types import infer_type

_DELIMITERS = (",", ";", "\t", "|")
_LINES_LOOKED_AT = 200


def sniff_delimiter(text: str, options: CsvOptions) -> str:
    """The delimiter that cuts most records into the same number (over one) of fields; a comma if none does."""
    best, delimiter = (0.0, 0), ","
    head = "\n".join(text.split("\n", _LINES_LOOKED_AT + 1)[:_LINES_LOOKED_AT])
    for candidate in _DELIMITERS:
        counts = Counter(len(row) for row in records(head, candidate, options) if row)
        width, agreeing = counts.most_common(1)[0] if counts else (1, 0)
        score = (agreeing / max(1, counts.total()), width)
        if width > 1 and score > best:
            best, delimiter = score, candidate
    return delimiter


def records(text: str, delimiter: str, options: CsvOptions) -> list[list[str]]:
    """The records of a text as Python's csv module reads them; what it refuses is left out."""
    found: list[list[str]] = []
    try:
        found.extend(_reader(text, delimiter, options))
    except csv.Error:
        return found
    return found


def numbered_records(text: str, delimiter: str, options: CsvOptions) -> list[tuple[int, list[str]]]:
    """Each record with the number of its first line, counting from 0; empty lines are left out."""
    reader = _reader(text, delimiter, options)
    found, line = [], 0
    try:
        for row in reader:
            if row:
                found.append((line, row))
            line = reader.line_num
    except csv.Error:
        return found
    return found


def _reader(text: str, delimiter: str, options: CsvOptions) -> Any:
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quotechar=options.quote or None,
        escapechar=options.escape or None,
        doublequote=True,
        quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
    )


def has_header(first: Sequence[str], types: Sequence[pa.DataType]) -> bool:
    """Whether the first record is a header, by the types of the columns below it (null: nothing is known).

    It is when some cell does not fit its column's type, or when all columns are text. A record of nothing but numbers is not.
    """
    cells = [infer_type(pa.array([cell] if cell else [None], pa.string())) for cell in first]
    typed = [(cell, kind) for cell, kind in zip(cells, types, strict=True) if kind not in (pa.string(), pa.null())]
    if not typed:
        return all(cell == pa.string() for cell in cells)
    return any(not (cell in (kind, pa.null()) or (kind == pa.float64() and cell == pa.int64())) for cell, kind in typed)


def column_names(header: Sequence[str] | None, count: int) -> tuple[str, ...]:
    """Unique names: those of the header, `column<n>` where it has none, `_1`, `_2`, ... after a name that is taken."""
    given = list(header) if header is not None else [""] * count
    found: list[str] = []
    taken: set[str] = set()
    for number, name in enumerate(given):
        wanted = plain = name.strip() or f"column{number}"
        suffix = 0
        while wanted in taken:
            suffix += 1
            wanted = f"{plain}_{suffix}"
        taken.add(wanted)
        found.append(wanted)
    return tuple(found)

"""Rows as the sqllogictest format writes them, and whether they are those that a file expects.

Handed an Arrow table and a query record; hands on a difference in words, or nothing. What always holds: text is compared letter
by letter, whole numbers and decimals by value, floats to 1e-9 (or as printed where a file gives three decimals or more, as
sqlite's suites do); rows in order, unless the file says that their order is free: then both sides are sorted.
"""

from __future__ import annotations

import datetime
import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from tests.slt.records import Query

_FIXED = re.compile(r"-?\d+\.(\d{3,})")
_TABS = re.compile(r"\t+")
_CONTROL = re.compile(r"[^ -~]")


def difference(table: pa.Table, query: Query) -> str | None:
    """How the rows differ from those that are expected."""
    width = table.num_columns
    if query.types and len(query.types) != width:
        return f"{width} columns, expected {len(query.types)}"
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    if query.hashed is not None:
        return _hash_difference(rows, query)
    if query.expected is None:
        return None  # its label compares it with another query
    expected = _expected_rows(query.expected, width)
    if expected is None:
        return f"{len(query.expected)} lines are no rows of {width} columns"
    if len(rows) != len(expected):
        return f"{len(rows)} rows, expected {len(expected)}"
    mine = [[(value, shown(value)) for value in row] for row in rows]
    pairs = list(zip(_flat(mine, query.sort, 1), _flat(expected, query.sort, None), strict=True))
    for number, (got, wanted) in enumerate(pairs):
        if not is_same(got[0], wanted):
            return f"row {number // width + 1}, column {number % width + 1}: {got[1]!r}, expected {wanted!r}"
    return None


def digest(table: pa.Table, sort: str) -> str:
    """What all queries of one label have in common."""
    rows = [[shown(value) for value in row] for row in zip(*(column.to_pylist() for column in table.columns), strict=True)]
    return _md5(_flat(rows, sort, None))


def is_same(value: Any, wanted: str) -> bool:
    """Whether a value is what a file writes as `wanted`."""
    text = shown(value)
    if wanted.startswith("<REGEX>:"):
        return re.fullmatch(wanted.removeprefix("<REGEX>:"), text, re.DOTALL) is not None
    if wanted.startswith("<!REGEX>:"):
        return re.fullmatch(wanted.removeprefix("<!REGEX>:"), text, re.DOTALL) is None
    if text == wanted.strip() or (value != value and wanted.strip().lower() == "nan"):
        return True
    if isinstance(value, bool):
        return wanted.lower() in (text, str(int(value)))
    if isinstance(value, int | float | Decimal):
        return _is_same_number(value, wanted)
    return isinstance(value, str) and _CONTROL.sub("@", text) == wanted


def _is_same_number(value: int | float | Decimal, wanted: str) -> bool:
    try:
        other = Decimal(wanted)
    except InvalidOperation:
        return False
    fixed = _FIXED.fullmatch(wanted)
    if fixed and f"{value:.{len(fixed[1])}f}" == wanted:
        return True
    if isinstance(value, float):
        return math.isclose(value, float(other), rel_tol=1e-9)
    return Decimal(value) == other


def shown(value: Any) -> str:
    """A value as DuckDB prints it."""
    if isinstance(value, pa.MonthDayNano):
        return _interval(value)
    if isinstance(value, list):
        return f"[{', '.join(shown(part) for part in value)}]"
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return str(value).removesuffix(":00")
    if isinstance(value, bytes):
        return "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02X}" for byte in value)
    return str(value) if value != "" else "(empty)"


def _interval(value: pa.MonthDayNano) -> str:
    sign = "-" if value.months < 0 else ""
    years, months = divmod(abs(value.months), 12)
    counts = ((f"{sign}{years}", "year"), (f"{sign}{months}", "month"), (str(value.days), "day"))
    parts = [f"{count} {unit}{'' if count in ('1', '-1') else 's'}" for count, unit in counts if int(count)]
    seconds, microseconds = divmod(abs(value.nanoseconds) // 1000, 1_000_000)
    if seconds or microseconds or not parts:
        fraction = f".{microseconds:06}".rstrip("0") if microseconds else ""
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"
        parts.append(("-" if value.nanoseconds < 0 else "") + clock)
    return " ".join(parts)


def _expected_rows(lines: Sequence[str], width: int) -> list[list[str]] | None:
    """The lines as rows: one a line with tabs between values (some files line them up with several), or one value a line."""
    for split in ([line.split("\t") for line in lines], [_TABS.split(line.strip("\t")) for line in lines]):
        if all(len(row) == width for row in split):
            return split
    if len(lines) % width:
        return None
    return [list(lines[start : start + width]) for start in range(0, len(lines), width)]


def _flat(rows: list[Any], sort: str, part: int | None) -> list[Any]:
    """The values one after the other, sorted as the mode says, by their text (which `part` of a value is)."""

    def text(value: Any) -> str:
        return str(value if part is None else value[part])

    if sort == "rowsort":
        rows = sorted(rows, key=lambda row: [text(value) for value in row])
    values = [value for row in rows for value in row]
    return sorted(values, key=text) if sort == "valuesort" else values


def _hash_difference(rows: list[tuple[Any, ...]], query: Query) -> str | None:
    assert query.hashed is not None
    count, wanted = query.hashed
    values = sum(len(row) for row in rows)
    if values != count:
        return f"{values} values, expected {count}"
    for written in _writings(rows, query.types):
        if _md5(_flat(written, query.sort, None)) == wanted:
            return None
    return f"{count} values do not hash to {wanted}"


def _writings(rows: list[tuple[Any, ...]], types: str) -> Iterator[list[list[str]]]:
    """The rows as DuckDB's suites write them, and as sqlite's do: three decimals, whole numbers cut, no control characters."""
    yield [[shown(value) for value in row] for row in rows]
    yield [[_as_sqlite(value, kind) for value, kind in zip(row, types, strict=True)] for row in rows]


def _as_sqlite(value: Any, kind: str) -> str:
    if value is not None and kind == "I" and isinstance(value, int | float | Decimal):
        return str(int(value))
    if value is not None and kind == "R" and isinstance(value, int | float | Decimal):
        return f"{value:.3f}"
    return _CONTROL.sub("@", shown(value))


def _md5(values: list[str]) -> str:
    return hashlib.md5("".join(f"{value}\n" for value in values).encode(), usedforsecurity=False).hexdigest()

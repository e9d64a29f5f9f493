"""The sqllogictest format: a file's text to the records that are to be run, loops unrolled, in order.

Handed lines; hands on records, each with the line where it began. What always holds: nothing is dropped in silence: what this
runner does not know becomes an `Unknown` record, and what a condition leaves out is left out by name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

ENGINES = frozenset({"flightmesh", "duckdb"})
"""What `onlyif` and `skipif` call us: by our name, or by that of the dialect that we speak."""
_SETS = {
    "<signed>": "tinyint smallint integer bigint hugeint",
    "<unsigned>": "utinyint usmallint uinteger ubigint",
    "<integral>": "tinyint smallint integer bigint hugeint utinyint usmallint uinteger ubigint",
    "<numeric>": "tinyint smallint integer bigint hugeint utinyint usmallint uinteger ubigint float double",
}
_HASHED = re.compile(r"(\d+) values hashing to ([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Statement:
    """Text that is to succeed (`ok`), to fail (`error`: the message holds that text), or may do either (`maybe`)."""

    line: int
    sql: str
    expects: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """Text that is to give rows: the lines below `----` (None without that line), or so many values that have this MD5."""

    line: int
    sql: str
    types: str
    sort: str
    label: str
    expected: tuple[str, ...] | None
    hashed: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class Require:
    """What must be there, or the rest of the file is left out."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A record of a kind that this runner does not know."""

    line: int
    what: str


Record: TypeAlias = Statement | Query | Require | Unknown
Line: TypeAlias = tuple[int, str]


def records(text: str) -> Iterator[Record]:
    """The records of a file, to its end or its `halt`."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if not line.startswith("#")]
    is_skipped = False
    for block in _blocks(_unrolled(lines)):
        words = block[0][1].split()
        if words == ["halt"]:
            return
        if words[0] == "mode" and words[1:2] in (["skip"], ["unskip"]):
            is_skipped = words[1] == "skip"
        elif not is_skipped:
            yield from _record(block)


def _unrolled(lines: list[Line]) -> Iterator[Line]:
    """The lines with `loop` and `foreach` written out."""
    at = 0
    while at < len(lines):
        number, line = lines[at]
        words = line.split()
        if not words or words[0] not in ("loop", "foreach"):
            yield number, line
            at += 1
            continue
        end = _end_of_loop(lines, at)
        values = _looped(words)
        for value in values:
            yield 0, ""
            inside = [(n, _with_value(text, words[1], value)) for n, text in lines[at + 1 : end]]
            yield from _unrolled(inside)
        at = end + 1


def _with_value(text: str, name: str, value: str) -> str:
    """The line with a loop's variable filled in, which is written `${name}` or `{name}`."""
    return text.replace(f"${{{name}}}", value).replace(f"{{{name}}}", value)


def _looped(words: list[str]) -> list[str]:
    if words[0] == "loop":
        return [str(value) for value in range(int(words[2]), int(words[3]))]
    return [value for word in words[2:] for value in _SETS.get(word, word).split()]


def _end_of_loop(lines: list[Line], start: int) -> int:
    depth = 0
    for at in range(start, len(lines)):
        first = lines[at][1].split()[:1]
        depth += (first in (["loop"], ["foreach"])) - (first == ["endloop"])
        if depth == 0:
            return at
    raise ValueError(f"line {lines[start][0]}: a loop without endloop")


def _blocks(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Runs of lines between empty ones."""
    block: list[Line] = []
    for number, line in lines:
        if line.strip():
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _record(block: list[Line]) -> Iterator[Record]:
    """What a block holds: directives of a line each, then perhaps a statement or a query."""
    for at, (number, line) in enumerate(block):
        words = line.split()
        if words[0] in ("onlyif", "skipif"):
            if (words[1] in ENGINES) != (words[0] == "onlyif"):
                return
        elif words[0] == "statement":
            yield _statement(number, words, block[at + 1 :])
            return
        elif words[0] == "query":
            yield _query(number, words, block[at + 1 :])
            return
        elif words[0] == "require":
            yield Require(number, " ".join(words[1:]))
        elif words[0] not in ("hash-threshold", "mode"):
            yield Unknown(number, words[0])
            return


def _parts(lines: list[Line]) -> tuple[str, list[str], bool]:
    """The text above `----`, the lines below, and whether there is such a line."""
    texts = [line for _, line in lines]
    cut = texts.index("----") if "----" in texts else len(texts)
    return "\n".join(texts[:cut]).rstrip().rstrip(";"), texts[cut + 1 :], cut < len(texts)


def _statement(number: int, words: list[str], lines: list[Line]) -> Record:
    sql, below, _ = _parts(lines)
    if len(words) < 2 or words[1] not in ("ok", "error", "maybe"):
        return Unknown(number, " ".join(words[:2]))
    return Statement(number, sql, words[1], "\n".join(below).strip() or " ".join(words[2:]))


def _query(number: int, words: list[str], lines: list[Line]) -> Record:
    sql, below, has_rows = _parts(lines)
    if words[1:2] == ["error"]:
        return Statement(number, sql, "error", "\n".join(below).strip() or " ".join(words[2:]))
    types, rest = (words[1], words[2:]) if len(words) > 1 else ("", [])
    sort = rest.pop(0) if rest and rest[0] in ("nosort", "rowsort", "valuesort", "sort") else "nosort"
    label = rest[0] if rest else ""
    if not has_rows and not label:
        return Statement(number, sql, "ok")  # a query of which nothing is expected
    hashed = _HASHED.fullmatch(below[0].strip()) if len(below) == 1 else None
    found = (int(hashed[1]), hashed[2]) if hashed else None
    return Query(
        number,
        sql,
        types,
        "rowsort" if sort == "sort" else sort,
        label,
        tuple(below) if has_rows and (below or not label) else None,
        found,
    )

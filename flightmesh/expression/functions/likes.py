"""LIKE patterns: parsed once, run as the cheapest kernel that says the same.

Handed text arrays and a constant pattern with `%` (any run) and `_` (one character), and possibly an escape character; hands on
booleans. What always holds: without an escape character a backslash is an ordinary character, as in DuckDB.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.errors import DataError
from flightmesh.expression.functions.search import contains, contains_in_order

ANY_RUN = object()
ANY_ONE = object()


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern: literal texts, ANY_ONE and ANY_RUN in order."""

    parts: tuple[Any, ...]

    @property
    def regex(self) -> str:
        """The RE2 expression that a whole text must match."""
        words = []
        for part in self.parts:
            words.append(".*" if part is ANY_RUN else "." if part is ANY_ONE else quote(part))
        return "(?s)^" + "".join(words) + "$"


def quote(text: str) -> str:
    """The text as an RE2 expression that matches itself."""
    return "".join(c if c.isalnum() or c == "_" or ord(c) > 127 else f"\\x{{{ord(c):x}}}" for c in text)


@functools.lru_cache(maxsize=1024)
def parse(pattern: str, escape: str = "") -> Pattern:
    """The pattern's parts, adjacent runs merged. DataError where the escape character stands last."""
    parts: list[Any] = []
    letters: list[str] = []

    def flush() -> None:
        if letters:
            parts.append("".join(letters))
            letters.clear()

    characters = iter(pattern)
    for character in characters:
        if escape and character == escape:
            following = next(characters, None)
            if following is None:
                raise DataError("a LIKE pattern must not end with its escape character")
            letters.append(following)
        elif character in "%_":
            flush()
            found = ANY_RUN if character == "%" else ANY_ONE
            if not (found is ANY_RUN and parts and parts[-1] is ANY_RUN):
                parts.append(found)
        else:
            letters.append(character)
    flush()
    return Pattern(tuple(parts))


def match(text: pa.Array, pattern: Pattern) -> pa.Array:
    """Whether each text matches."""
    match pattern.parts:
        case ():
            return pc.equal(text, pa.scalar("", pa.string()))
        case (str() as whole,):
            return pc.equal(text, pa.scalar(whole, pa.string()))
        case (only,) if only is ANY_RUN:
            return pc.starts_with(text, pattern="")
        case (str() as start, run) if run is ANY_RUN:
            return pc.starts_with(text, pattern=start)
        case (run, str() as end) if run is ANY_RUN:
            return pc.ends_with(text, pattern=end)
        case (run, str() as inner, other) if run is ANY_RUN and other is ANY_RUN:
            return contains(text, inner)
        case (str() as start, run, str() as end) if run is ANY_RUN:
            both = pc.and_(pc.starts_with(text, pattern=start), pc.ends_with(text, pattern=end))
            least = len((start + end).encode())
            return pc.and_(both, pc.greater_equal(pc.binary_length(text), pa.scalar(least, pa.int32())))
    words = _words_in_order(pattern)
    return contains_in_order(text, words) if words and pa.types.is_string(text.type) else _filtered(text, pattern)


def _words_in_order(pattern: Pattern) -> tuple[str, ...]:
    """The literals of a pattern that only asks for them in order, as `%a%b%` does; none of any other, nor where the first is so
    short that it stands nearly everywhere."""
    words, runs = pattern.parts[1::2], pattern.parts[::2]
    if len(runs) != len(words) + 1 or any(run is not ANY_RUN for run in runs):
        return ()
    if not all(isinstance(word, str) for word in words) or len(words[0]) < 2:
        return ()
    return words


def _filtered(text: pa.Array, pattern: Pattern) -> pa.Array:
    """Any other pattern: a quick search for its longest literal, then its regular expression on what is left."""
    longest = max((part for part in pattern.parts if isinstance(part, str)), key=len, default="")
    if len(longest) < 2:
        return pc.match_substring_regex(text, pattern=pattern.regex)
    candidate = contains(text, longest)
    rows = pc.indices_nonzero(candidate)
    if len(rows) * 2 > len(text):
        return pc.match_substring_regex(text, pattern=pattern.regex)
    return pc.replace_with_mask(
        candidate, pc.fill_null(candidate, False), pc.match_substring_regex(text.take(rows), pattern=pattern.regex)
    )


def like(text: pa.Array, pattern: str, escape: str = "") -> pa.Array:
    """text LIKE pattern."""
    return match(text, parse(pattern, _one_character(escape)))


def ilike(text: pa.Array, pattern: str, escape: str = "") -> pa.Array:
    """text ILIKE pattern: both in lower case."""
    return match(pc.utf8_lower(text), parse(pattern.lower(), _one_character(escape)))


def glob(text: pa.Array, pattern: str) -> pa.Array:
    """text GLOB pattern: `*` any run, `?` one character, `[...]` a class."""
    return pc.match_substring_regex(text, pattern=_glob_regex(pattern))


def _glob_regex(pattern: str) -> str:
    words = re.split(r"(\*|\?|\[!?[^\]]+\])", pattern)
    shapes = {"*": ".*", "?": "."}
    out = []
    for word in words:
        if word.startswith("[") and word.endswith("]"):
            out.append("[" + ("^" + word[2:] if word.startswith("[!") else word[1:]))
        else:
            out.append(shapes.get(word) or quote(word))
    return "(?s)^" + "".join(out) + "$"


def _one_character(escape: str) -> str:
    if len(escape) > 1:
        raise DataError("the escape of LIKE must be one character or none")
    return escape

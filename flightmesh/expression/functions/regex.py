r"""Regular expressions in RE2's syntax.

Options are letters: `i` no case, `c` case, `s` the dot matches newlines, `m`, `n`, `p` it does not (the default), `l` the
pattern is literal text, `g` (only in regexp_replace) every match. `~` and SIMILAR TO are `regexp_full_match`.
"""

from __future__ import annotations

import functools
import re

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression.functions.declare import Failure, ScalarFunction
from flightmesh.expression.functions.entries import entry
from flightmesh.expression.functions.likes import quote
from flightmesh.expression.functions.vary import per_distinct, with_constants

_MAY = Failure.MAY


@functools.lru_cache(maxsize=512)
def prepared(pattern: str, options: str = "") -> str:
    """The pattern with its options as RE2 flags. DataError for an unknown option."""
    flags, literal = "", False
    for option in options:
        match option:
            case "i":
                flags = flags.replace("i", "") + "i"
            case "c":
                flags = flags.replace("i", "")
            case "s":
                flags = flags.replace("s", "") + "s"
            case "m" | "n" | "p":
                flags = flags.replace("s", "")
            case "l":
                literal = True
            case "g":
                continue
            case _:
                raise DataError(f"unknown regular expression option {option!r}")
    body = quote(pattern) if literal else pattern
    return f"(?{flags}){body}" if flags else body


def matches(text: pa.Array, pattern: str, options: str = "") -> pa.Array:
    """Whether the pattern matches somewhere."""
    return pc.match_substring_regex(text, pattern=prepared(pattern, options))


def full_match(text: pa.Array, pattern: str, options: str = "") -> pa.Array:
    """Whether the pattern matches the whole text."""
    whole = prepared(f"^(?:{pattern})$", options) if "l" not in options else f"^(?:{prepared(pattern, options)})$"
    return pc.match_substring_regex(text, pattern=whole)


def replace(text: pa.Array, pattern: str, replacement: str, options: str = "") -> pa.Array:
    r"""The first match replaced (`g`: every one); \1 to \9 stand for groups, \0 for the match."""
    most = -1 if "g" in options else 1
    if "l" in options:
        return pc.replace_substring(text, pattern=pattern, replacement=replacement, max_replacements=most)
    return pc.replace_substring_regex(text, pattern=prepared(pattern, options), replacement=replacement, max_replacements=most)


def extract(text: pa.Array, pattern: str, group: int = 0, options: str = "") -> pa.Array:
    """The text of a group in the first match; empty where nothing matches."""
    if "l" in options:
        pattern = quote(pattern)
    named = _with_named_group(pattern, group)
    if named is None:
        return pc.utf8_slice_codeunits(text, start=0, stop=0)
    found = pc.struct_field(pc.extract_regex(text, pattern=prepared(named, options.replace("l", ""))), 0)
    filled = pc.fill_null(found, "")
    return pc.if_else(text.is_valid(), filled, pa.scalar(None, pa.string())) if text.null_count else filled


@functools.lru_cache(maxsize=512)
def _with_named_group(pattern: str, group: int) -> str | None:
    """The pattern with only the wanted group capturing, by name; None where there is no such group."""
    out: list[str] = []
    count, position, in_class, found = 0, 0, False, group == 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            out.append(pattern[position : position + 2])
            position += 2
            continue
        if in_class:
            in_class = not (character == "]" and pattern[position - 1] not in "[^")
        elif character == "[":
            in_class = True
        elif character == "(":
            named = re.match(r"\(\?P?<[^>=!]+>", pattern[position:])
            if named or pattern[position + 1 : position + 2] != "?":
                count += 1
                out.append("(?P<wanted>" if count == group else "(?:")
                found = found or count == group
                position += named.end() if named else 1
                continue
        out.append(character)
        position += 1
    body = "".join(out)
    if not found:
        return None
    return f"(?P<wanted>{body})" if group == 0 else body


def _escape(text: str) -> str:
    return "".join(c if c.isalnum() or c == "_" else "\\" + c for c in text)


FUNCTIONS: tuple[ScalarFunction, ...] = (
    entry("regex", "regexp_matches", "Whether the pattern matches somewhere in the text.",
          ("text, text -> bool", "text, text, text -> bool"), with_constants(1, matches), failure=_MAY),
    entry("regex", "regexp_full_match", "Whether the pattern matches the whole text.",
          ("text, text -> bool", "text, text, text -> bool"), with_constants(1, full_match), failure=_MAY, aliases=("~",
              "similar_to")),
    entry("regex", "regexp_replace", "The text with the first match replaced; option `g`: every match.",
          ("text, text, text -> text", "text, text, text, text -> text"), with_constants(1, replace), failure=_MAY),
    entry("regex", "regexp_extract", "The first match, or a group of it; empty if there is none.",
          ("text, text -> text", "text, text, int -> text", "text, text, int, text -> text"), with_constants(1, extract),
          failure=_MAY),
    entry("regex", "regexp_escape", "The text with every special character escaped.", ("text -> text",), per_distinct(_escape)),
)  # fmt: skip

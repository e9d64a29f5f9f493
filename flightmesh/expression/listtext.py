"""Lists as text and text as lists, in DuckDB's form: `[1, 2, NULL]`, `['a,b', c]`, `[[1], []]`.

Handed arrays; hands on arrays of the same length. `split_elements` gives lists of texts, of which a cast makes elements, and
says which texts are no list. What always holds: an element is quoted where it could be read as something else; texts without
quotes and brackets inside go through array kernels, only others are looked at one by one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.arrays import boolean_array, boolean_mask, valid_mask
from flightmesh.expression.lists import kept_elements, put_together, taken_apart
from flightmesh.expression.textcasts import to_text as element_text
from flightmesh.expression.types import Family, family

_SPECIAL = r"""^$|^\s|\s$|["'(),:=\[\]{}]|^(?i:null)$"""
_PLAIN = r"""^\[[^\[\]{}()'"]*\]$"""
_SPACES = " \t\n\r\v\f"
_OPENING = {"[": "]", "{": "}", "(": ")"}


def to_text(array: pa.Array) -> pa.Array:
    """The lists as text; NULL stays NULL."""
    lists = taken_apart(array)
    if family(lists.values.type) is Family.LIST:
        texts = to_text(lists.values)
    else:
        texts = _quoted(element_text(lists.values).cast(pa.string()))
    texts = pc.fill_null(texts, "NULL")
    joined = pc.binary_join(put_together(lists.offsets, texts), ", ")
    whole = pc.binary_join_element_wise("[", joined, "]", "")
    return whole if lists.valid is None else pc.if_else(boolean_array(lists.valid), whole, pa.scalar(None, pa.string()))


def _quoted(texts: pa.Array) -> pa.Array:
    special = pc.match_substring_regex(texts, _SPECIAL)
    if not pc.any(special).as_py():
        return texts
    escaped = pc.replace_substring_regex(texts, r"""(['\\])""", r"\\\1")
    return pc.if_else(special, pc.binary_join_element_wise("'", escaped, "'", ""), texts)


def split_elements(text: pa.Array) -> tuple[pa.Array, npt.NDArray[np.bool_] | None]:
    """Lists of the texts of elements (NULL for NULL), and which texts are no list (None: all are one); those are NULL."""
    trimmed = pc.utf8_trim(text, _SPACES)
    plain = pc.match_substring_regex(trimmed, _PLAIN)
    if pc.all(plain).as_py() is not False:
        return _split_plain(trimmed), None
    encoded = trimmed.dictionary_encode()
    read = [_read(value) for value in encoded.dictionary.to_pylist()]
    result = pa.array(read, pa.list_(pa.string())).take(encoded.indices)
    bad = valid_mask(text) & ~valid_mask(result)
    return result, (bad if bad.any() else None)


def _split_plain(trimmed: pa.Array) -> pa.Array:
    inner = pc.utf8_trim(pc.utf8_slice_codeunits(trimmed, 1, -1), _SPACES)
    empty = boolean_mask(pc.equal(inner, ""))
    lists = taken_apart(pc.split_pattern(inner, ","))
    values = pc.utf8_trim(lists.values, _SPACES)
    values = pc.if_else(pc.equal(pc.utf8_upper(values), "NULL"), pa.scalar(None, pa.string()), values)
    if not empty.any():
        return put_together(lists.offsets, values, lists.valid)
    return put_together(*kept_elements(replace(lists, values=values), ~empty[lists.rows]), lists.valid)


def _read(text: str) -> list[str | None] | None:
    """The elements' texts of one list, their quotes taken off; None where the text is no list."""
    if not (text.startswith("[") and text.endswith("]")) or len(text) < 2:
        return None
    if not text[1:-1].strip(_SPACES):
        return []
    found: list[str | None] = []
    place = 1
    while place < len(text):
        element = _element(text, place)
        if element is None:
            return None
        value, place = element
        found.append(value)
        if text[place] == "]":
            return found if place == len(text) - 1 else None
        place += 1
    return None


def _element(text: str, start: int) -> tuple[str | None, int] | None:
    """The element that begins at `start`, and the place of the comma or bracket after it; None where it does not end."""
    parts: list[str] = []
    quoted = False
    bare = start
    place = start
    while place < len(text):
        sign = text[place]
        if sign in ",]":
            parts.append(text[bare:place].rstrip(_SPACES) if parts else text[bare:place].strip(_SPACES))
            whole = "".join(parts)
            return (None if not quoted and whole.upper() == "NULL" else whole), place
        if sign in "'\"":
            before = text[bare:place]
            parts.append(before if parts else before.lstrip(_SPACES))
            end = _quote_end(text, place)
            if end is None:
                return None
            parts.append(_unescaped(text[place + 1 : end]))
            quoted, bare, place = True, end + 1, end + 1
        elif sign in _OPENING:
            end = _nested_end(text, place)
            if end is None:
                return None
            place = end + 1
        else:
            place += 1
    return None


def _unescaped(text: str) -> str:
    result = []
    signs = iter(text)
    for sign in signs:
        result.append(next(signs, "") if sign == "\\" else sign)
    return "".join(result)


def _quote_end(text: str, start: int) -> int | None:
    place = start + 1
    while place < len(text):
        if text[place] == "\\":
            place += 1
        elif text[place] == text[start]:
            return place
        place += 1
    return None


def _nested_end(text: str, start: int) -> int | None:
    """The bracket that closes the one at `start`."""
    waiting: list[str] = []
    place = start
    while place < len(text):
        sign = text[place]
        if sign in "'\"":
            end = _quote_end(text, place)
            if end is None:
                return None
            place = end
        elif sign in _OPENING:
            waiting.append(_OPENING[sign])
        elif sign == waiting[-1]:
            waiting.pop()
            if not waiting:
                return place
        place += 1
    return None

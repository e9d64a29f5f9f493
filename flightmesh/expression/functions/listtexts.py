"""Texts cut into lists, and lists joined to texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression.arrays import boolean_array, valid_mask
from flightmesh.expression.casts import castable
from flightmesh.expression.functions.declare import Binding, Datum, Failure, Kernel, Nulls, Request, Rule, ScalarFunction
from flightmesh.expression.functions.listaccess import row_by_row
from flightmesh.expression.functions.regex import prepared
from flightmesh.expression.functions.vary import with_constants
from flightmesh.expression.lists import kept_elements, offsets_of, places_of, put_together, taken_apart
from flightmesh.expression.nodes import Expression
from flightmesh.expression.types import Family, family

_TEXT = pa.string()
_TEXTS = pa.list_(_TEXT)
_MARKS = "\x01\x02\x03\x04\x05\x06\x07\x0e\x0f"
"""Signs of which one that no text has marks the matches of a pattern."""


def _two_texts(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2 or any(family(arg.type) not in (Family.STRING, Family.NULL) for arg in args):
        return None
    return Binding((_TEXT, _TEXT), _TEXTS)


def _split(text: pa.Array, separator: str) -> pa.Array:
    return pc.split_pattern(text, pattern=separator) if separator else _characters(text)


def _split_by(text: pa.Array, pattern: str) -> pa.Array:
    if not pattern:
        return _characters(text)
    if _matches_nothing(pattern):
        raise DataError(f"the pattern {pattern!r} matches an empty text, which separates nothing")
    return pc.split_pattern_regex(text, pattern=prepared(pattern))


def _characters(text: pa.Array) -> pa.Array:
    encoded = text.dictionary_encode()
    lists = [list(value) or [""] for value in encoded.dictionary.to_pylist()]
    return pa.array(lists, _TEXTS).take(encoded.indices)


def _matches_nothing(pattern: str) -> bool:
    found = pc.match_substring_regex(pa.array([""]), pattern=prepared(f"^(?:{pattern})$"))
    return bool(found[0].as_py())


def _or_whole(split: Kernel) -> Kernel:
    """A text that is split by NULL is the one element of its list."""

    def kernel(args: tuple[Datum, ...], request: Request) -> Datum:
        text, separator = args
        if isinstance(separator, pa.Scalar):
            if separator.is_valid:
                return split(args, request)
            return row_by_row(_whole)((text,), request)
        made = split(args, request)
        whole = row_by_row(_whole)((text,), request)
        return pc.if_else(separator.is_null(), whole, made) if separator.null_count else made

    return kernel


def _whole(text: pa.Array) -> pa.Array:
    valid = valid_mask(text)
    return put_together(offsets_of(valid), text.drop_null(), valid)


def _extract_type(args: Sequence[Expression]) -> Binding | None:
    if len(args) not in (2, 3) or any(family(arg.type) not in (Family.STRING, Family.NULL) for arg in args[:2]):
        return None
    if len(args) == 3 and family(args[2].type) is not Family.INTEGER:
        return None
    return Binding((_TEXT, _TEXT, pa.int64())[: len(args)], _TEXTS)


def _extract_all(text: pa.Array, pattern: str, group: int = 0) -> pa.Array:
    r"""Each match put between marks, then cut at them. Where a match may be empty or without its group, text by text."""
    groups = re.sub(r"\\.|\[[^\]]*\]|\(\?(?!P?<\w)", "", pattern).count("(")
    if not 0 <= group <= groups:
        raise DataError(f"the pattern {pattern!r} has {groups} groups", hint="group 0 is the whole match")
    optional = group and re.search(r"\)[?*{]|\|", pattern)
    mark = next((sign for sign in _MARKS if not pc.any(pc.match_substring(text, sign)).as_py()), None)
    if mark is None or optional or _matches_nothing(pattern):
        return _one_by_one(text, pattern, group)
    marked = pc.replace_substring_regex(text, pattern=prepared(pattern), replacement=f"{mark}\\{group}{mark}")
    parts = taken_apart(pc.split_pattern(marked, pattern=mark))
    return put_together(*kept_elements(parts, places_of(parts.offsets) % 2 == 1), parts.valid)


def _one_by_one(text: pa.Array, pattern: str, group: int) -> pa.Array:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"the pattern {pattern!r}: {error}") from None
    encoded = text.dictionary_encode()
    found = [[match[group] for match in compiled.finditer(value)] for value in encoded.dictionary.to_pylist()]
    return pa.array(found, _TEXTS).take(encoded.indices)


def _joined_type(least: int) -> Rule:
    def rule(args: Sequence[Expression]) -> Binding | None:
        if not least <= len(args) <= 2 or family(args[0].type) is not Family.LIST or not castable(args[0].type, _TEXTS):
            return None
        return Binding((_TEXTS, _TEXT)[: len(args)], _TEXT)

    return rule


def _joined(array: pa.Array, separator: pa.Array, empty: str | None) -> pa.Array:
    lists = taken_apart(array)
    offsets, values = kept_elements(lists, valid_mask(lists.values))
    joined = pc.binary_join(put_together(offsets, values), pc.fill_null(separator, ","))
    nothing = (np.diff(offsets) == 0) & ((lists.lengths > 0) | (empty is None))
    none = nothing | ~valid_mask(array)
    return pc.if_else(boolean_array(none), pa.scalar(None, _TEXT), joined) if none.any() else joined


def _to_string(array: pa.Array, separator: pa.Array) -> pa.Array:
    return _joined(array, separator, "")


def _string_agg(array: pa.Array, separator: pa.Array | None = None) -> pa.Array:
    return _joined(array, pa.repeat(pa.scalar(","), len(array)) if separator is None else separator, None)


FUNCTIONS: tuple[ScalarFunction, ...] = (
    ScalarFunction("string_split", "The parts of a text between separators; its characters where that is empty.", "list",
                   _two_texts, _or_whole(with_constants(1, _split)), ("string_split(VARCHAR, VARCHAR) -> VARCHAR[]",),
                   ("str_split", "string_to_array", "split"), nulls=Nulls.OWN),
    ScalarFunction("regexp_split_to_array", "The parts of a text between matches of a pattern.", "list", _two_texts,
                   _or_whole(with_constants(1, _split_by)), ("regexp_split_to_array(VARCHAR, VARCHAR) -> VARCHAR[]",),
                   ("string_split_regex", "str_split_regex"), failure=Failure.MAY, nulls=Nulls.OWN),
    ScalarFunction("regexp_extract_all", "Every match of a pattern in a text, or a group of each.", "list", _extract_type,
                   with_constants(1, _extract_all), ("regexp_extract_all(VARCHAR, VARCHAR[, INTEGER]) -> VARCHAR[]",),
                   failure=Failure.MAY),
    ScalarFunction("array_to_string", "The elements as text with a separator between; NULLs are left out.", "list",
                   _joined_type(2), row_by_row(_to_string), ("array_to_string(any[], VARCHAR) -> VARCHAR",),
                   nulls=Nulls.OWN),
    ScalarFunction("list_string_agg", "The elements as text with a separator (',') between; NULL of no values.", "list",
                   _joined_type(1), row_by_row(_string_agg), ("list_string_agg(any[][, VARCHAR]) -> VARCHAR",),
                   nulls=Nulls.OWN),
)  # fmt: skip

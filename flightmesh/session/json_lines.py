"""Rows as JSON lines: one object a row. Decimals are written as numbers with all their digits; NaN and infinities, which JSON
has no word for, as the texts "NaN", "Infinity" and "-Infinity"."""

from __future__ import annotations

import json

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.lists import put_together, taken_apart
from flightmesh.expression.types import Family, family
from flightmesh.session.column_text import is_textual, join_lines, plain_text


def json_rows(batch: pa.RecordBatch) -> bytes:
    """One object and a newline for each row of `batch`."""
    if batch.num_rows == 0:
        return b""
    parts: list[pa.Array | str] = []
    for index, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
        opening = "{" if index == 0 else ","
        parts += [f"{opening}{json.dumps(name, ensure_ascii=False)}:", _value(column)]
    return join_lines([*parts, "}\n"])


def _value(values: pa.Array) -> pa.Array:
    if family(values.type) is Family.LIST:
        return _array(values)
    texts = plain_text(values)
    if is_textual(values.type):
        texts = _quoted(texts)
    elif pa.types.is_floating(values.type):
        texts = _float_text(values, texts)
    return pc.fill_null(texts, "null")


def _array(values: pa.Array) -> pa.Array:
    lists = taken_apart(values)
    joined = pc.binary_join(put_together(lists.offsets, _value(lists.values)), ",")
    whole = pc.binary_join_element_wise("[", joined, "]", "")
    return whole if lists.valid is None else pc.if_else(values.is_valid(), whole, "null")


def _quoted(texts: pa.Array) -> pa.Array:
    special = pc.match_substring_regex(texts, r'["\\\x00-\x1f]')
    if pc.any(special).as_py():
        escaped = [None if text is None else json.dumps(text, ensure_ascii=False) for text in texts.to_pylist()]
        return pa.array(escaped, pa.string())
    return pc.binary_join_element_wise('"', texts, '"', "")


def _float_text(values: pa.Array, texts: pa.Array) -> pa.Array:
    finite = pc.is_finite(values)
    if pc.all(finite).as_py() is not False:
        return texts
    positive = pc.if_else(pc.greater(values, 0), '"Infinity"', '"-Infinity"')
    return pc.if_else(finite, texts, pc.if_else(pc.is_nan(values), '"NaN"', positive))

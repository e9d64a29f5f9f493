"""Columns as arrays of text, computed by Arrow a batch at a time; what the CSV and JSON writers share.

Handed an array; hands on a string array of the same length, NULL where it was NULL. What always holds: the text of a number
reads back as the same number.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.listtext import to_text
from flightmesh.expression.types import Family, family


def plain_text(values: pa.Array) -> pa.Array:
    """The text of each value, without quotes or escapes."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return plain_text(values.cast(kind.value_type))
    if pa.types.is_string(kind):
        return values
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([None if value is None else value.hex() for value in values.to_pylist()], pa.string())
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        return _without_empty_fraction(pc.cast(values, pa.string()))
    if _casts_to_text(kind):
        return pc.cast(values, pa.string())
    if family(kind) is Family.LIST:
        return to_text(values)
    return pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())


def is_textual(kind: pa.DataType) -> bool:
    """Whether values of this type are quoted in JSON."""
    if pa.types.is_dictionary(kind):
        return is_textual(kind.value_type)
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind)
    return not plain


def join_lines(parts: list[pa.Array | str]) -> bytes:
    """The rows that `parts` make when they are put side by side; NULL counts as empty text."""
    pieces = [pa.scalar(part) if isinstance(part, str) else part for part in parts]
    lines = pc.binary_join_element_wise(*pieces, "", null_handling="replace", null_replacement="")
    return array_bytes(lines)


def array_bytes(lines: pa.Array) -> bytes:
    """All texts of an array, one after the other: that is how Arrow holds them."""
    if len(lines) == 0:
        return b""
    _, offsets, data = lines.buffers()
    bounds = memoryview(offsets).cast("i")
    return bytes(memoryview(data)[bounds[lines.offset] : bounds[lines.offset + len(lines)]]) if data is not None else b""


def _casts_to_text(kind: pa.DataType) -> bool:
    types = pa.types
    numeric = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    text = types.is_large_string(kind) or types.is_string_view(kind)
    return bool(numeric or text or types.is_boolean(kind) or types.is_date(kind) or types.is_null(kind))


def _without_empty_fraction(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, r"\.0+(Z?)$", r"\1")

"""Rows as CSV (RFC 4180, lines end in a newline): NULL is nothing between the commas, an empty text is a pair of quotes."""

from __future__ import annotations

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.session.column_text import join_lines, plain_text

_NEEDS_QUOTES = r'[",\n\r]|^$|^\s|\s$'


def csv_header(names: list[str]) -> bytes:
    """The first line."""
    return _row_bytes([_quoted(pa.array([name])) for name in names])


def csv_rows(batch: pa.RecordBatch) -> bytes:
    """One line a row of `batch`."""
    return _row_bytes([_field(column) for column in batch.columns]) if batch.num_rows else b""


def _row_bytes(fields: list[pa.Array]) -> bytes:
    parts: list[pa.Array | str] = []
    for field in fields:
        parts += [field, ","]
    parts[-1] = "\n"
    return join_lines(parts)


def _field(values: pa.Array) -> pa.Array:
    texts = plain_text(values)
    numeric = pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)
    return texts if numeric else _quoted(texts)


def _quoted(texts: pa.Array) -> pa.Array:
    """Quotes the texts that need it; the others stay as they are."""
    needs = pc.match_substring_regex(texts, _NEEDS_QUOTES)
    if not pc.any(needs).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', doubled, '"', ""), texts)

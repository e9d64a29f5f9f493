"""The order of rows by keys that pack into one integer each row: those are sorted as plain integers, several times faster
than column by column.

Handed key columns that Arrow would sort right, with their directions; hands on row numbers, or nothing where the keys do not
pack. What always holds: the order is stable and the one that sorting by the columns gives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.values import Array, Int64s, is_byte_string, validity

FEWEST_ROWS = 4096
"""Fewer rows are not worth the passes."""

_WIDEST = 1 << 62
_SAMPLE = 4096
_FEW_TEXTS = 1 << 12


@dataclass(frozen=True, slots=True)
class Direction:
    """How one column is sorted."""

    descending: bool
    nulls_first: bool


def packed_order(columns: Sequence[Array], directions: Sequence[Direction], rows: int) -> Int64s | None:
    """Row numbers in the order of the columns; None where they do not pack into an integer."""
    if rows < FEWEST_ROWS:
        return None
    size, packed = 1, np.zeros(rows, np.int64)
    for column, direction in zip(columns, directions, strict=True):
        found = _codes(column, direction)
        if found is None:
            return None
        codes, width = found
        size *= width
        if size >= _WIDEST:
            return None
        packed *= np.int64(width)
        packed += codes
    bits = (rows - 1).bit_length()
    if size << bits >= _WIDEST:
        return np.argsort(packed, kind="stable")
    packed <<= np.int64(bits)
    packed |= np.arange(rows, dtype=np.int64)  # the row itself makes the order stable, whatever way they are sorted
    packed.sort()
    packed &= np.int64((1 << bits) - 1)
    return packed


def _codes(column: Array, direction: Direction) -> tuple[Int64s, int] | None:
    """Numbers from 0 up in the column's order, and how many there are."""
    found = _texts(column) if is_byte_string(column.type) else _integers(column)
    if found is None:
        return None
    values, valid = found, validity(column)
    some = values if valid is None else values[valid]
    low, high = (int(some.min()), int(some.max())) if len(some) else (0, 0)
    width = high - low + 1
    if width >= _WIDEST:
        return None
    codes = high - values if direction.descending else values - low
    if valid is None:
        return codes, width
    if direction.nulls_first:
        return np.where(valid, codes + 1, 0), width + 1
    return np.where(valid, codes, width), width + 1


def _integers(column: Array) -> Int64s | None:
    if column.type == pa.uint64():
        return None
    found = integer_values(column)
    return None if found is None or found[1] is not None else found[0]


def _texts(column: Array) -> Int64s | None:
    """Texts as their places among the distinct ones, where a sample says that those are few."""
    sample = column.slice(0, _SAMPLE)
    if len(pc.unique(sample)) * 4 > len(sample):
        return None
    encoded = pc.dictionary_encode(column)
    if len(encoded.dictionary) > _FEW_TEXTS:
        return None
    places = np.empty(len(encoded.dictionary), np.int64)
    places[np.asarray(pc.sort_indices(encoded.dictionary)).astype(np.int64)] = np.arange(len(places))
    if len(places) == 0:
        return np.zeros(len(column), np.int64)
    return places[np.asarray(pc.fill_null(encoded.indices, 0)).astype(np.int64)]

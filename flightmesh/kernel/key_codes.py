"""Turns key columns into one integer a row, where the values allow it: then keys are compared and addressed as plain integers.

Handed the key columns of one side (a join's build, a grouping's input); hands on a `Packing` that numbers key tuples of any
batch. What always holds: two rows get the same code (0 or more, below `size`) exactly when their keys are equal; -1 means that
the key has a value outside the ranges of the columns that the packing was made for, or a NULL in a column where NULL equals
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.kernel.byte_words import ByteWords
from flightmesh.kernel.values import (
    Array,
    Int64s,
    Mask,
    buffer_view,
    decimal_words,
    integers,
    is_byte_string,
    is_integer_like,
    validity,
)

MAX_SIZE = 1 << 62
SHORT_BYTES = 7
"""Strings of up to so many bytes are integers too: their bytes and their length fit into 59 bits."""
_SHORT_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(SHORT_BYTES + 1)], np.uint64)


@dataclass(frozen=True, slots=True)
class ColumnRange:
    """One column's values: `low` up to `low + width`, and whether NULL has a code of its own (0; values then start at 1)."""

    low: int
    width: int
    null_code: bool


@dataclass(frozen=True, slots=True)
class Packing:
    """How key tuples become codes below `size`."""

    columns: tuple[ColumnRange, ...]
    size: int

    def codes(self, columns: Sequence[Array]) -> Int64s:
        """The code of each row's key, or -1."""
        total: Int64s | None = None
        outside: Mask | None = None
        for column, known in zip(columns, self.columns, strict=True):
            found = _key_integers(column)
            if found is None:
                raise ValueError(f"a packed key column cannot be {column.type}")
            values, beyond = found
            valid = validity(column)
            codes = values - np.int64(known.low)  # wraps where far below: then as unsigned it is far above the width
            out = codes.view(np.uint64) >= np.uint64(known.width)
            if beyond is not None:
                out |= beyond
            if valid is not None:
                out = out & valid if known.null_code else out | ~valid
            if out.any():
                outside = out if outside is None else outside | out
            total = _combined(total, codes, known, valid)
        if total is None:
            raise ValueError("a packing has at least one column")
        if outside is not None:
            total[outside] = -1
        return total


def pack_keys(columns: Sequence[Array], null_safe: Sequence[bool]) -> tuple[Packing, Int64s] | None:
    """A packing for these columns and the codes of their rows, or None where a column is not made of integers or the ranges are
    too wide together.

    `null_safe` says of each column whether NULL is a value equal to itself; elsewhere a NULL makes the code -1.
    """
    ranges: list[ColumnRange] = []
    values: list[Int64s] = []
    size = 1
    for column, safe in zip(columns, null_safe, strict=True):
        found = _key_integers(column)
        if found is None or found[1] is not None:
            return None
        known = _range(found[0], validity(column), safe)
        size *= known.width + known.null_code
        if size > MAX_SIZE:
            return None
        ranges.append(known)
        values.append(found[0])
    total: Int64s | None = None
    for column, known, integers_ in zip(columns, ranges, values, strict=True):
        total = _combined(total, integers_ - np.int64(known.low), known, validity(column))
    if total is None:
        return None
    for column, safe in zip(columns, null_safe, strict=True):
        valid = None if safe else validity(column)
        if valid is not None:
            total[~valid] = -1
    return Packing(tuple(ranges), size), total


def integer_values(array: Array) -> tuple[Int64s, Mask | None] | None:
    """The values of a column as int64 and a mask of the valid values that do not fit (None: all fit); None for other types.

    Decimals count as their unscaled integers.
    """
    if is_integer_like(array.type):
        return integers(array), None
    if pa.types.is_decimal64(array.type):
        return buffer_view(array, np.dtype(np.int64)), None
    if not pa.types.is_decimal128(array.type):
        return None
    low, high = decimal_words(array)
    values = low.view(np.int64)
    if array.type.precision <= 18:
        return values, None
    return values, _some_valid(high.view(np.int64) != values >> 63, array)


def _combined(total: Int64s | None, codes: Int64s, known: ColumnRange, valid: Mask | None) -> Int64s:
    """The codes of the columns so far with one more column's (not yet shifted for its NULL code)."""
    if known.null_code:
        codes += 1
        if valid is not None:
            codes[~valid] = 0
    if total is None:
        return codes
    total *= np.int64(known.width + known.null_code)
    total += codes
    return total


def _range(values: Int64s, valid: Mask | None, null_safe: bool) -> ColumnRange:
    null_code = null_safe and valid is not None
    if valid is not None:
        values = values[valid]
    if len(values) == 0:
        return ColumnRange(0, 1, null_code)
    low, high = int(values.min()), int(values.max())
    return ColumnRange(low, high - low + 1, null_code)


def _key_integers(array: Array) -> tuple[Int64s, Mask | None] | None:
    return _short_strings(array) if is_byte_string(array.type) else integer_values(array)


def _short_strings(array: Array) -> tuple[Int64s, Mask | None]:
    """Strings as integers, equal exactly where the strings are, and a mask of those that are too long (None: none is)."""
    text = ByteWords(array)
    lengths = text.lengths
    if text.shortest == text.longest <= SHORT_BYTES:
        words = text.column(0, text.longest, len(array)) & _SHORT_MASKS[text.longest]
    else:
        words = text.at(text.starts)
        words &= np.take(_SHORT_MASKS, lengths, mode="clip")
    words <<= np.uint64(3)
    values = words.view(np.int64)
    values |= np.minimum(lengths, SHORT_BYTES)
    return values, None if text.longest <= SHORT_BYTES else _some_valid(lengths > SHORT_BYTES, array)


def _some_valid(mask: Mask, array: Array) -> Mask | None:
    """The mask without NULL rows; None when nothing is left."""
    valid = validity(array)
    if valid is not None:
        mask &= valid
    return mask if mask.any() else None

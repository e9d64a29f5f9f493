"""Turns key columns into one integer a row, where the values allow it: then keys are compared and addressed as plain integers.

Handed the key columns of one side (a join's build, a grouping's input); hands on a `Packing` that numbers key tuples of any batch.
What always holds: two rows get the same code (0 or more, below `size`) exactly when their keys are equal; -1 means that the key has a
value outside the ranges of the columns that the packing was made for, or a NULL in a column where NULL equals nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flightmesh.kernel.values import Array, Int64s, Mask, decimal_words, integers, is_integer_like, validity

MAX_SIZE = 1 << 62


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
            code, out = _column_codes(column, known)
            total = code if total is None else total * np.int64(known.width + known.null_code) + code
            if out is not None:
                outside = out if outside is None else outside | out
        if total is None:
            raise ValueError("a packing has at least one column")
        if outside is not None:
            total[outside] = -1
        return total


def find_packing(columns: Sequence[Array], null_safe: Sequence[bool]) -> Packing | None:
    """The packing for these columns, or None where a column is not made of integers or the ranges are too wide together.

    `null_safe` says of each column whether NULL is a value equal to itself.
    """
    ranges: list[ColumnRange] = []
    size = 1
    for column, safe in zip(columns, null_safe, strict=True):
        found = _range(column, safe)
        if found is None:
            return None
        ranges.append(found)
        size *= found.width + found.null_code
        if size > MAX_SIZE:
            return None
    return Packing(tuple(ranges), size) if ranges else None


def integer_values(array: Array) -> tuple[Int64s, Mask | None] | None:
    """The values of a column as int64 and a mask of the valid values that do not fit (None: all fit); None for other types.

    Decimals count as their unscaled integers.
    """
    if is_integer_like(array.type):
        return integers(array), None
    if not pa.types.is_decimal128(array.type):
        return None
    low, high = decimal_words(array)
    values = low.view(np.int64)
    if array.type.precision <= 18:
        return values, None
    too_wide = high.view(np.int64) != values >> 63
    valid = validity(array)
    if valid is not None:
        too_wide &= valid
    return values, too_wide if too_wide.any() else None


def _range(array: Array, null_safe: bool) -> ColumnRange | None:
    found = integer_values(array)
    if found is None or found[1] is not None:
        return None
    values = found[0]
    valid = validity(array)
    if valid is not None:
        values = values[valid]
    null_code = null_safe and valid is not None
    if len(values) == 0:
        return ColumnRange(0, 1, null_code)
    low, high = int(values.min()), int(values.max())
    return ColumnRange(low, high - low + 1, null_code)


def _column_codes(array: Array, known: ColumnRange) -> tuple[Int64s, Mask | None]:
    found = integer_values(array)
    if found is None:
        raise ValueError(f"a packed key column cannot be {array.type}")
    values, outside = found
    codes = values - np.int64(known.low)  # wraps where far below: then as unsigned it is far above the width
    beyond = codes.view(np.uint64) >= np.uint64(known.width)
    if outside is not None:
        beyond |= outside
    valid = validity(array)
    if known.null_code:
        codes += 1
    if valid is not None:
        if known.null_code:
            codes[~valid] = 0
            beyond &= valid
        else:
            beyond |= ~valid
    return codes, beyond if beyond.any() else None

"""Counts and sums by one integer of a small range, added up over many batches in tables that the integer addresses.

Handed batches of a key and of what is added up; hands on one row a key that came. What always holds: sums are exact (they are
added as float64 only while they stay below 2**53); a batch is taken whole or not at all: one with NULLs, of a wider range, or
whose sums might not be exact, is left to whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.kernel.decimals import decimals_from_int64
from flightmesh.kernel.key_codes import integer_values
from flightmesh.kernel.values import Array, Int64s, integers

LARGEST_RANGE = 1 << 18
"""Keys that a table spans at most: wider ones do not stay in the CPU's cache,"""
RANGE_PER_ROW = 4
"""and so many for each row of a batch at most, as every batch goes over the whole table."""
_EXACT = float(1 << 53)

Doubles = npt.NDArray[np.float64]


def is_tally_key(kind: pa.DataType) -> bool:
    """Whether values of this type may be the key."""
    return bool((pa.types.is_integer(kind) and kind != pa.uint64()) or pa.types.is_date32(kind))


def is_tally_sum(argument: pa.DataType, result: pa.DataType) -> bool:
    """Whether such values can be added up to such a sum."""
    if not pa.types.is_decimal128(result):
        return False
    if pa.types.is_decimal128(argument):
        return bool(argument.precision <= 18 and argument.scale == result.scale)
    return bool(pa.types.is_integer(argument) and argument != pa.uint64() and result.scale == 0)


@dataclass(slots=True)
class _Sum:
    """One sum of each key, as unscaled integers; none is further from 0 than `bound`."""

    sums: Doubles
    bound: float = 0.0


class Tally:
    """The table of one grouping: `sums` says of each measure whether it is a sum (of its type) or a count (None). Used by one
    thread."""

    def __init__(self, key: pa.DataType, sums: Sequence[pa.DataType | None]) -> None:
        self._key = key
        self._types = tuple(sums)
        self._low = 0
        self._counts: Int64s = np.zeros(0, np.int64)
        self._sums = [None if kind is None else _Sum(np.zeros(0)) for kind in sums]

    @property
    def nbytes(self) -> int:
        """Bytes of the tables."""
        return int(self._counts.nbytes) * (1 + sum(part is not None for part in self._sums))

    def add(self, key: Array, arguments: Sequence[Array | None]) -> bool:
        """Takes a batch in, and says whether it could. `arguments`: what each measure reads; None for counts of rows."""
        if len(key) == 0 or key.null_count or any(a is not None and a.null_count for a in arguments):
            return False
        values = integers(key)
        low, high = self._range(values)
        if high - low >= min(LARGEST_RANGE, RANGE_PER_ROW * len(key)):
            return False
        weights = [None if part is None else _weights(part, a) for part, a in zip(self._sums, arguments, strict=True)]
        if any(part is not None and found is None for part, found in zip(self._sums, weights, strict=True)):
            return False
        self._span(low, high)
        codes = values - np.int64(low)
        self._counts += np.bincount(codes, minlength=len(self._counts))
        for part, found in zip(self._sums, weights, strict=True):
            if part is not None and found is not None:
                part.sums += np.bincount(codes, weights=found, minlength=len(self._counts))
                part.bound += _size(found)
        return True

    def groups(self) -> tuple[Array, list[Array]]:
        """The keys that came, in order, and their measures."""
        taken = np.flatnonzero(self._counts)
        keys = pa.array(taken + self._low)
        keys = keys.cast(pa.int32()).cast(self._key) if pa.types.is_date32(self._key) else keys.cast(self._key)
        made = []
        for part, kind in zip(self._sums, self._types, strict=True):
            if part is None or kind is None:
                made.append(pa.array(self._counts[taken]))
            else:
                made.append(decimals_from_int64(part.sums[taken].astype(np.int64), kind, None))
        return keys, made

    def _range(self, values: Int64s) -> tuple[int, int]:
        """The least and the greatest key with these."""
        low, high = int(values.min()), int(values.max())
        if len(self._counts) == 0:
            return low, high
        return min(low, self._low), max(high, self._low + len(self._counts) - 1)

    def _span(self, low: int, high: int) -> None:
        """Makes the tables reach from `low` to `high`."""
        size = high - low + 1
        if size != len(self._counts):
            before, after = self._low - low, high - low + 1 - (self._low - low) - len(self._counts)
            if len(self._counts) == 0:
                before, after = 0, size
            self._counts = np.pad(self._counts, (before, after))
            for part in self._sums:
                if part is not None:
                    part.sums = np.pad(part.sums, (before, after))
        self._low = low


def _weights(part: _Sum, argument: Array | None) -> Doubles | None:
    """The values to be added; None where the sums might not be exact."""
    found = None if argument is None else integer_values(argument)
    if found is None or found[1] is not None:
        return None
    weights = found[0].astype(np.float64)
    return weights if part.bound + _size(weights) < _EXACT else None


def _size(weights: Doubles) -> float:
    """No sum of some of these is further from 0."""
    return max(float(weights.max()), -float(weights.min()), 0.0) * len(weights)

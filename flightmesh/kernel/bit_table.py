"""A set of integers of a wide range, a bit each: tested a batch at a time, or a range of them at once.

Handed the members; hands on which of other integers are members. What always holds: the answer is exact, for any 64-bit
integer; a table never changes. For integers that come about in order, as keys do from files in the order of the key, a test
takes a quarter of the time of a Bloom filter's; for others about as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from flightmesh.dataclass import dataclass
from flightmesh.kernel.values import Int64s, Integers, Mask

MARGIN = 8
"""Bits before the first member and after the last: whatever is out of range is looked up there, in an empty byte."""
_PIECE = 1 << 25
"""Bits that are set together, as bytes first."""


@dataclass(frozen=True, slots=True)
class BitTable:
    """Bit `code - low + MARGIN` of `packed`, lowest first, says whether a code is a member. The first and last byte are 0."""

    low: int
    packed: npt.NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        """Bytes of the table."""
        return int(self.packed.nbytes)

    def among(self, codes: Integers) -> Mask:
        """Which codes are members."""
        # What wraps ends up below or above the table too: its places there are those of members modulo 2**64.
        places = np.subtract(codes, np.int64(self.low - MARGIN), dtype=np.int64)
        found = np.take(self.packed, places >> 3, mode="clip")
        found >>= (places & 7).astype(np.uint8)
        found &= 1
        return found.view(np.bool_)

    def any_between(self, low: int, high: int) -> bool:
        """Whether a code from `low` up to `high`, both within the table, is a member."""
        first, last = low - self.low + MARGIN, high - self.low + MARGIN
        whole: npt.NDArray[Any] = self.packed[(first >> 3) + 1 : last >> 3]
        if whole.any():
            return True
        ends = np.unpackbits(self.packed[[first >> 3, last >> 3]], bitorder="little")
        if first >> 3 == last >> 3:
            return bool(ends[first & 7 : (last & 7) + 1].any())
        return bool(ends[first & 7 : 8].any() or ends[8 : 8 + (last & 7) + 1].any())


def bit_table(codes: Int64s, low: int, high: int) -> BitTable:
    """The table of codes, all from `low` (at least MARGIN above the least integer) up to `high`."""
    size = high - low + 1 + 2 * MARGIN
    packed = np.zeros((size + 7) // 8, np.uint8)
    places = codes - np.int64(low - MARGIN)
    for start in range(0, size, _PIECE):
        piece = places if size <= _PIECE else places[(places >= start) & (places < start + _PIECE)]
        bits = np.zeros(min(_PIECE, size - start), np.bool_)
        bits[piece - start] = True
        packed[start // 8 : start // 8 + (len(bits) + 7) // 8] = np.packbits(bits, bitorder="little")
    return BitTable(low, packed)

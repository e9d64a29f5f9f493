"""An open-addressing table of non-negative 64-bit codes, filled and searched a vector at a time.

Handed codes (duplicates welcome); hands on the slot of each. Rounds of linear probing: in each, all pending codes look at
their slot together; a free slot is taken by whichever code was written last, and all codes that find themselves there are
done. The table never changes after `build`, so any number of threads may search it.
"""

from __future__ import annotations

import numpy as np

from flightmesh.dataclass import dataclass
from flightmesh.kernel.hash import GOLDEN
from flightmesh.kernel.values import Int64s

_FREE = np.int64(-1)


@dataclass(frozen=True, slots=True)
class HashTable:
    """`codes[slot]` is the code there, or -1. At most half of the slots are taken."""

    codes: Int64s
    shift: int

    @property
    def size(self) -> int:
        """Slots."""
        return len(self.codes)

    def find(self, codes: Int64s) -> Int64s:
        """The slot of each code; -1 for a code that is not in the table, and for a negative one."""
        slots = _home(codes, self.shift)
        there = np.take(self.codes, slots)
        hit = (there == codes) & (there >= 0)
        found = np.where(hit, slots, -1)
        pending = np.flatnonzero((there >= 0) & ~hit)
        mask = np.int64(self.size - 1)
        while len(pending):
            at = (slots[pending] + 1) & mask
            slots[pending] = at
            there = self.codes[at]
            wanted = codes[pending]
            hit = there == wanted
            found[pending[hit]] = at[hit]
            pending = pending[~hit & (there >= 0)]
        return found


def build_table(codes: Int64s) -> tuple[HashTable, Int64s]:
    """A table of these codes (all non-negative), and the slot of each."""
    bits = max(4, (2 * len(codes) - 1).bit_length())
    shift = 64 - bits
    mask = np.int64((1 << bits) - 1)
    table = np.full(1 << bits, _FREE)
    slots = _home(codes, shift)
    pending = _settle(table, codes, slots)
    while len(pending):
        slots[pending] = (slots[pending] + 1) & mask
        pending = pending[_settle(table, codes[pending], slots[pending])]
    return HashTable(table, shift), slots


def _settle(table: Int64s, codes: Int64s, slots: Int64s) -> Int64s:
    """Writes codes to those of their slots that are free; gives the indices of the codes that did not end in their slot."""
    free = np.flatnonzero(table[slots] < 0)
    table[slots[free]] = codes[free]
    return np.flatnonzero(table[slots] != codes)


def _home(codes: Int64s, shift: int) -> Int64s:
    return ((codes.view(np.uint64) * GOLDEN) >> np.uint64(shift)).view(np.int64)

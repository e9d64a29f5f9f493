"""Which values of a column may be among the keys of a join's build side: tested a batch at a time, or by their bounds.

Handed the key columns of a build side; hands on a `KeyFilter`. What always holds: a value that is a key passes; of others few
do (none where the keys lie densely); NULL never passes; a filter never changes, so threads may share it.

Integers and what is stored as such count as they are, other values by their hash. Dense codes are looked up in a table of
booleans, or of bits where that would be large, others in a Bloom filter whose bits of one key lie in one 64-bit word (Putze,
Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", WEA 2007).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.kernel.bit_table import MARGIN, BitTable, bit_table
from flightmesh.kernel.hash import GOLDEN, hash_columns, mix
from flightmesh.kernel.values import Array, Int64s, Integers, Mask, Words, is_integer_like, stored_integers, validity

LARGEST_TABLE = 1 << 23
"""Codes that a table of booleans may span, a byte each,"""
SMALL_TABLE = 1 << 22
SPAN_PER_KEY = 256
"""and more than SMALL_TABLE only for so many a key at most."""
MOST_BITS = 1 << 28
"""Codes that a table of bits may span, also for no more than SPAN_PER_KEY a key."""
MOST_KEYS = 1 << 21
"""Keys of a Bloom filter; of more only the bounds are kept."""
BITS_PER_KEY = 16
FEW_KEYS = 1 << 12
"""So many keys are kept beside a Bloom filter."""
COMPARED = 6
"""Comparing with so many keys is cheaper than a Bloom filter."""
_LEAST = -(1 << 63)
_SIX_BITS = np.uint64(63)
_ONE = np.uint64(1)


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """`low` and `high` bound the codes; `ordered`: codes are the values themselves, so bounds of values can be compared.
    `table[code - low + 1]` says whether a code is a key (its first and last place are for all below and above), or `bits` does;
    else `words` is the Bloom filter; without any of them the bounds are all that is known. `few`: the keys beside a Bloom
    filter of ordered codes, in order, where they are few.
    """

    low: int
    high: int
    ordered: bool
    table: Mask | None = None
    words: Words | None = None
    few: Int64s | None = None
    bits: BitTable | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the filter."""
        return sum(part.nbytes for part in (self.table, self.words, self.few, self.bits) if part is not None)

    def passes(self, column: Array) -> Mask:
        """Which rows of a column of the keys' type may be keys. Texts may come as dictionaries."""
        codes, valid = _codes(column)
        found = self._among(codes)
        if valid is not None:
            found &= valid
        return found

    def may_hold(self, low: int, high: int) -> bool:
        """Whether a value from `low` up to `high` may be a key. Only of an ordered filter."""
        low, high = max(low, self.low), min(high, self.high)
        if low > high:
            return False
        if self.few is not None:
            return bool(np.searchsorted(self.few, low) < np.searchsorted(self.few, high, side="right"))
        if self.bits is not None:
            return self.bits.any_between(low, high)
        return self.table is None or bool(self.table[low - self.low + 1 : high - self.low + 2].any())

    def _among(self, codes: Integers) -> Mask:
        if self.table is not None:
            # What wraps ends up below or above the table too: its places there are those of `low` to `high` modulo 2**64.
            places = codes if self.low == 1 else np.subtract(codes, np.int64(self.low - 1), dtype=np.int64)
            return np.take(self.table, places, mode="clip")
        if self.bits is not None:
            return self.bits.among(codes)
        if self.words is not None:
            near = self._near(codes)
            if near is not None:
                return near
            places, bits = _bits(codes.astype(np.int64, copy=False), len(self.words))
            hits: Mask = (np.take(self.words, places) & bits) == bits
            return hits
        return (codes >= self.low) & (codes <= self.high)

    def _near(self, codes: Integers) -> Mask | None:
        """The same where only a few keys lie among the codes at all, as in files that are in the order of the key."""
        if self.few is None or len(codes) == 0:
            return None
        first = np.searchsorted(self.few, codes.min())
        near = self.few[first : np.searchsorted(self.few, codes.max(), side="right")]
        if len(near) > COMPARED:
            return None
        found = np.zeros(len(codes), np.bool_)
        for key in near:
            found |= codes == key
        return found


def build_key_filter(parts: Sequence[Array]) -> KeyFilter:
    """The filter of the keys in these arrays, at least one and all of one type."""
    return key_filter_of(np.concatenate([valid_codes(part) for part in parts]), is_ordered(parts[0].type))


def key_filter_of(codes: Int64s, ordered: bool) -> KeyFilter:
    """The filter of keys with these codes."""
    if len(codes) == 0:
        return KeyFilter(0, -1, ordered, table=np.zeros(2, np.bool_))
    low, high = int(codes.min()), int(codes.max())
    span = high - low + 1
    if low > _LEAST and span <= LARGEST_TABLE and span <= max(SMALL_TABLE, SPAN_PER_KEY * len(codes)):
        if 1 < low <= min(span, LARGEST_TABLE - span):
            low = 1  # a table from there on is addressed by the codes as they are
        table = np.zeros(high - low + 3, np.bool_)
        table[codes - np.int64(low - 1)] = True
        return KeyFilter(low, high, ordered, table=table)
    if low > _LEAST + MARGIN and span <= min(MOST_BITS, SPAN_PER_KEY * len(codes)):
        return KeyFilter(low, high, ordered, bits=bit_table(codes, low, high))
    if len(codes) > MOST_KEYS:
        return KeyFilter(low, high, ordered)
    words = 1 << max(4, (len(codes) * BITS_PER_KEY // 64).bit_length())
    few = np.sort(codes) if ordered and len(codes) <= FEW_KEYS else None
    return KeyFilter(low, high, ordered, words=bloom_words(codes, words), few=few)


def is_ordered(kind: pa.DataType) -> bool:
    """Whether the codes are the values: unsigned 64-bit ones do not fit, booleans and intervals have no use for it."""
    return is_integer_like(kind) and not (
        kind == pa.uint64() or pa.types.is_boolean(kind) or kind == pa.month_day_nano_interval()
    )


def valid_codes(column: Array) -> Int64s:
    """The codes of a column's values that are not NULL."""
    codes, valid = _codes(column)
    return (codes if valid is None else codes[valid]).astype(np.int64, copy=False)


def bloom_words(codes: Int64s, words: int) -> Words:
    """The Bloom filter of so many words (a power of two) with these codes in it."""
    hashes = mix(codes.view(np.uint64) + GOLDEN)
    places = _word(hashes, words) << np.uint64(6)
    bits = np.zeros(words * 64, np.bool_)
    bits[(places | (hashes & _SIX_BITS)).view(np.int64)] = True
    bits[(places | ((hashes >> np.uint64(6)) & _SIX_BITS)).view(np.int64)] = True
    return np.packbits(bits, bitorder="little").view("<u8")


def _codes(column: Array) -> tuple[Integers, Mask | None]:
    if is_ordered(column.type):
        return stored_integers(column), validity(column)
    return (hash_columns([column]) >> _ONE).view(np.int64), validity(column)


def _word(hashes: Words, words: int) -> Words:
    return (hashes >> np.uint64(12)) & np.uint64(words - 1)


def _bits(codes: Int64s, words: int) -> tuple[Int64s, Words]:
    """The word of each code in a filter of so many, and its bits there."""
    hashes = mix(codes.view(np.uint64) + GOLDEN)
    first = _ONE << (hashes & _SIX_BITS)
    second = _ONE << ((hashes >> np.uint64(6)) & _SIX_BITS)
    return _word(hashes, words).view(np.int64), first | second

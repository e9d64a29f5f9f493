"""The keys of one column that passed by, in bounded space: collected a batch at a time, and united with what others collected.

Handed key columns; hands on `KeySet`s. What always holds: a set holds every key that it was given; it is exact while there are
few keys, then a Bloom filter of one fixed size (so that two can be united), then only bounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flightmesh.dataclass import dataclass
from flightmesh.kernel.key_filter import KeyFilter, bloom_words, is_ordered, key_filter_of, valid_codes
from flightmesh.kernel.values import Array, Int64s, Words

MOST_CODES = 1 << 15
"""Keys that a set lists,"""
MOST_IN_BLOOM = 1 << 18
"""and that its Bloom filter may have taken in."""
BLOOM_WORDS = 1 << 14
_WAITING_CODES = 4 * MOST_CODES


@dataclass(frozen=True, slots=True)
class KeySet:
    """`low`, `high` and `ordered` as a KeyFilter has them. `codes`: all of them, ascending; else `words`: their Bloom filter;
    else only the bounds are known."""

    low: int
    high: int
    ordered: bool
    codes: Int64s | None = None
    words: Words | None = None

    def key_filter(self) -> KeyFilter:
        """The filter of these keys."""
        if self.codes is not None:
            return key_filter_of(self.codes, self.ordered)
        return KeyFilter(self.low, self.high, self.ordered, words=self.words)


class KeyCollector:
    """Takes in the keys of one task's rows."""

    def __init__(self) -> None:
        self._ordered = True
        self._waiting: list[Int64s] = []
        self._count = 0
        self._known = KeySet(0, -1, True, codes=np.zeros(0, np.int64))

    def add(self, column: Array) -> None:
        """Takes in a batch of keys; all batches have one type."""
        self._ordered = is_ordered(column.type)
        codes = valid_codes(column)
        if len(codes) == 0:
            return
        if self._known.codes is None and self._known.words is None:  # only bounds are kept: no sorting for them
            low, high = min(self._known.low, int(codes.min())), max(self._known.high, int(codes.max()))
            self._known = KeySet(low, high, self._ordered)
            return
        self._waiting.append(codes)
        self._count += len(codes)
        if self._count > _WAITING_CODES:
            self._settle()

    def result(self) -> KeySet:
        """The keys until now."""
        self._settle()
        return KeySet(self._known.low, self._known.high, self._ordered, self._known.codes, self._known.words)

    def _settle(self) -> None:
        if self._waiting:
            part = _of_codes(np.concatenate(self._waiting), self._ordered)
            self._waiting, self._count = [], 0
            self._known = unite([self._known, part])


def unite(sets: Sequence[KeySet]) -> KeySet:
    """All keys of sets (at least one) of one column."""
    filled = [each for each in sets if each.low <= each.high] or [sets[0]]
    if len(filled) == 1:
        return filled[0]
    low, high = min(each.low for each in filled), max(each.high for each in filled)
    codes = [each.codes for each in filled if each.codes is not None]
    if len(codes) == len(filled):
        return _of_codes(np.concatenate(codes), filled[0].ordered)
    if any(each.codes is None and each.words is None for each in filled):
        return KeySet(low, high, filled[0].ordered)
    words = np.zeros(BLOOM_WORDS, np.uint64)
    for each in filled:
        words |= each.words if each.words is not None else bloom_words(_codes(each), BLOOM_WORDS)
    full = np.count_nonzero(np.unpackbits(words.view(np.uint8))) > BLOOM_WORDS * 32
    return KeySet(low, high, filled[0].ordered, words=None if full else words)


def _of_codes(codes: Int64s, ordered: bool) -> KeySet:
    if len(codes) == 0:
        return KeySet(0, -1, ordered, codes=codes)
    ascending = np.sort(codes)
    distinct = ascending[np.concatenate([[True], ascending[1:] != ascending[:-1]])]
    low, high = int(distinct[0]), int(distinct[-1])
    if len(distinct) <= MOST_CODES:
        return KeySet(low, high, ordered, codes=distinct)
    if len(distinct) <= MOST_IN_BLOOM:
        return KeySet(low, high, ordered, words=bloom_words(distinct, BLOOM_WORDS))
    return KeySet(low, high, ordered)


def _codes(known: KeySet) -> Int64s:
    return np.zeros(0, np.int64) if known.codes is None else known.codes

"""Random columns that are functions of the row: the same on every machine, whatever part of a table is made at once.

Handed a range of rows and the number of a stream (a column takes one or several); hands on numpy arrays of as many values. The
mixing is that of splitmix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Words: TypeAlias = NDArray[np.uint64]
_GOLDEN = 0x9E3779B97F4A7C15
_ROUNDS = 4


def words(rows: range, stream: int) -> Words:
    """64 random bits a row."""
    offset = np.uint64(stream * 0xD1342543DE82EF95 & 0xFFFFFFFFFFFFFFFF)
    return _mixed((np.arange(rows.start, rows.stop, dtype=np.uint64) + offset) * np.uint64(_GOLDEN))


def units(rows: range, stream: int) -> Floats:
    """Even in [0, 1)."""
    return (words(rows, stream) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers(rows: range, stream: int, count: int) -> Integers:
    """Even in [0, count)."""
    return (units(rows, stream) * count).astype(np.int64)


def skewed(rows: range, stream: int, count: int, skew: float) -> Integers:
    """In [0, count), the lower the more often: the value u ** skew of an even u, times `count`. `skew` 1 is even."""
    return (units(rows, stream) ** skew * count).astype(np.int64)


def shuffled(rows: range, stream: int, count: int) -> Integers:
    """Every one of [0, count) once, over all `count` rows, in an order that looks random and needs no memory: a Feistel network
    over the next even number of bits, walked until it lands inside (Black and Rogaway, "Ciphers with Arbitrary Finite Domains",
    CT-RSA 2002)."""
    half = max(1, (max(count - 1, 1).bit_length() + 1) // 2)
    found = _permuted(np.arange(rows.start, rows.stop, dtype=np.uint64), stream, half)
    while len(outside := np.flatnonzero(found >= count)):
        found[outside] = _permuted(found[outside], stream, half)
    return found.astype(np.int64)


def _permuted(values: Words, stream: int, half: int) -> Words:
    mask = np.uint64((1 << half) - 1)
    left, right = values >> np.uint64(half), values & mask
    for number in range(_ROUNDS):
        key = np.uint64((stream * _ROUNDS + number + 1) << 32)
        left, right = right, left ^ (_mixed((right + key) * np.uint64(_GOLDEN)) & mask)
    return left << np.uint64(half) | right


def _mixed(z: Words) -> Words:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))

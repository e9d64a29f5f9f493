"""Decimal128 arrays from integer sums, exactly, with an error where 38 digits do not suffice."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.errors import DataError
from flightmesh.kernel.values import Array, Int64s, Mask, Words, pack_bits

_MASK_32 = np.int64(0xFFFFFFFF)
_BOUND = 10**38
_BOUND_HIGH = np.int64(_BOUND >> 64)
_BOUND_LOW = np.uint64(_BOUND & 0xFFFFFFFFFFFFFFFF)


def decimals_from_int64(values: Int64s, type_: pa.DataType, null: Mask | None) -> Array:
    """Unscaled values as decimals of `type_`."""
    return decimals_from_words(values.view(np.uint64), (values >> 63).view(np.uint64), type_, null)


def decimals_from_words(low: Words, high: Words, type_: pa.DataType, null: Mask | None) -> Array:
    """Decimals of `type_` from their two words; NULL where `null`."""
    words = np.empty(2 * len(low), np.uint64)
    words[::2] = low
    words[1::2] = high
    valid = None if null is None or not null.any() else pack_bits(~null).buffers()[1]
    return pa.Array.from_buffers(type_, len(low), [valid, pa.py_buffer(words)])


def decimals_from_limbs(limbs: tuple[Int64s, Int64s, Int64s, Int64s], type_: pa.DataType, null: Mask | None) -> Array:
    """Decimals from sums of 32-bit limbs, lowest first, the highest one signed; raises DataError beyond 38 digits."""
    a, b, c, d = limbs
    b = b + (a >> 32)
    c = c + (b >> 32)
    d = d + (c >> 32)
    low = (a & _MASK_32).view(np.uint64) | ((b & _MASK_32).view(np.uint64) << np.uint64(32))
    high = (c & _MASK_32) | (d << 32)
    outside = (d >> 31 != 0) & (d >> 31 != -1)
    if (outside | _beyond_bound(low, high)).any():
        raise DataError(f"a sum overflows {type_}", hint="cast the argument to double for an approximate sum")
    return decimals_from_words(low, high.view(np.uint64), type_, null)


def decimal_limbs(low: Words, high: Words) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """The four 32-bit limbs of 128-bit integers, lowest first; the highest is signed."""
    first, second = low.view(np.int64), high.view(np.int64)
    return first & _MASK_32, (low >> np.uint64(32)).view(np.int64), second & _MASK_32, second >> 32


def _beyond_bound(low: Words, high: Int64s) -> Mask:
    """Whether |value| is 10**38 or more."""
    negative = high < 0
    size_low = np.where(negative, ~low + np.uint64(1), low)
    size_high = np.where(negative, ~high + (low == 0), high)
    beyond: Mask = (size_high > _BOUND_HIGH) | ((size_high == _BOUND_HIGH) & (size_low >= _BOUND_LOW))
    return beyond

"""A 64-bit hash of each row over columns of any flat type, the same on every platform and in every batch.

Handed the key columns of a batch; hands on one uint64 a row. What always holds: a row's hash depends on its values alone,
never on offset, chunking, neighbours or the way a value is stored (a dictionary hashes as its decoded values, int8 5 as int64
5); NULL has a fixed hash; -0.0 hashes as 0.0 and every NaN alike. Change `VERSION` with any change of the values: peers
compare it.

Mixing functions: the finaliser of SplitMix64 (Steele, Lea, Flood 2014). Strings go word by word, eight bytes at a time, the
last word overlapping the one before it, so that a column of strings costs a few vector operations for each eight bytes of its
longest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.kernel.byte_words import ByteWords
from flightmesh.kernel.values import (
    Array,
    Words,
    buffer_view,
    canonical_floats,
    decimal_words,
    integers,
    is_byte_string,
    is_integer_like,
    validity,
)

VERSION = 1

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
NULL_HASH = np.uint64(0x5E2D58D8B3BCDABB)
COMBINE = np.uint64(0xD6E8FEB86659FD93)

_S27, _S29, _S30, _S31 = (np.uint64(n) for n in (27, 29, 30, 31))
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_TAIL_MASKS = np.array([(1 << (8 * i)) - 1 for i in range(8)], np.uint64)


def hash_columns(columns: Sequence[Array]) -> Words:
    """One hash a row over `columns` (arrays of equal length, at least one). One column: its own hash; more: order matters."""
    if not columns:
        raise InternalError("hashing rows takes at least one column")
    total = _hash_column(columns[0])
    for column in columns[1:]:
        total *= COMBINE
        total ^= _hash_column(column)
        total = mix(total)
    return total


def mix(words: Words) -> Words:
    """SplitMix64's finaliser of each word: a bijection in which every input bit reaches every output bit."""
    mixed = words ^ (words >> _S30)
    mixed *= MIX_1
    mixed ^= mixed >> _S27
    mixed *= MIX_2
    mixed ^= mixed >> _S31
    return mixed


def _hash_column(array: Array) -> Words:
    if pa.types.is_dictionary(array.type):
        return _hash_dictionary(array)
    if pa.types.is_null(array.type):
        return np.full(len(array), NULL_HASH)
    hashes = _hash_values(array)
    valid = validity(array)
    if valid is not None:
        hashes[~valid] = NULL_HASH
    return hashes


def _hash_values(array: Array) -> Words:
    type_ = array.type
    if is_integer_like(type_):
        return mix(integers(array).view(np.uint64) + GOLDEN)
    if pa.types.is_floating(type_):
        return mix(canonical_floats(array).view(np.uint64) + GOLDEN)
    if pa.types.is_decimal64(type_):
        values = buffer_view(array, np.dtype(np.int64))
        return _hash_two_words(values.view(np.uint64), (values >> 63).view(np.uint64))
    if pa.types.is_decimal128(type_):
        return _hash_two_words(*decimal_words(array))
    if is_byte_string(type_):
        return _hash_bytes(array)
    if pa.types.is_string_view(type_):
        return _hash_values(array.cast(pa.string()))
    if pa.types.is_binary_view(type_) or pa.types.is_fixed_size_binary(type_):
        return _hash_values(array.cast(pa.binary()))
    raise InternalError(f"no hash for values of type {type_}")


def _hash_two_words(low: Words, high: Words) -> Words:
    return mix(mix(low + GOLDEN) ^ (high * COMBINE))


def _hash_dictionary(array: Array) -> Words:
    values = _hash_column(array.dictionary)
    indices = array.indices
    if len(values) == 0:
        return np.full(len(array), NULL_HASH)
    valid = validity(indices)
    if valid is None:
        return values[integers(indices)]
    return np.where(valid, values[np.where(valid, integers(indices), 0)], NULL_HASH)


def _hash_bytes(array: Array) -> Words:
    """Per row, of bytes s with length n: h = n * GOLDEN; every whole word of s mixed in; then its last eight bytes (all of s,
    padded with zeros, when it is shorter); then `mix`.
    """
    if len(array) == 0:
        return np.empty(0, np.uint64)
    text = ByteWords(array)
    hashes = text.lengths.view(np.uint64) * GOLDEN
    if text.shortest == text.longest and text.shortest >= 8:
        for at in (*range(0, text.longest - 7, 8), text.longest - 8):
            _step(hashes, text.column(at, text.longest, len(hashes)))
    else:
        _mix_varying(hashes, text)
    return mix(hashes)


def _step(hashes: Words, words: Words) -> Words:
    hashes ^= words
    hashes *= MIX_1
    hashes ^= hashes >> _S29
    return hashes


def _mix_varying(hashes: Words, text: ByteWords) -> None:
    starts, lengths = text.starts, text.lengths
    for at in range(0, text.longest - 7, 8):
        if at + 8 <= text.shortest:
            _step(hashes, text.at(starts + at))
        else:
            rows = np.flatnonzero(lengths >= at + 8)
            hashes[rows] = _step(hashes[rows], text.at(starts[rows] + at))
    if text.shortest >= 8:
        _step(hashes, text.at(starts + lengths - 8))
        return
    long = lengths >= 8
    tails = text.at(np.where(long, starts + lengths - 8, starts))
    tails &= np.where(long, _ALL, np.take(_TAIL_MASKS, lengths, mode="clip"))
    _step(hashes, tails)

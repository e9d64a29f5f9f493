"""Key sets as messages carry them, and back.

Handed a KeySet of the keys that one task wrote, or the digests of several tasks; hands on a `KeyDigest`. What always holds: the
bytes are bounded (256 KiB); codes are little-endian, a bitmap's first bit is `low`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from flightmesh.errors import InvalidMessage
from flightmesh.kernel.key_set import BLOOM_WORDS, MOST_CODES, KeySet, unite
from flightmesh.protocol.messages import KeyDigest, KeyForm


def digest_of(number: int, keys: KeySet) -> KeyDigest:
    """What is told of the keys of dynamic filter `number`."""
    form, data = _packed(keys)
    return KeyDigest(number, keys.low, keys.high, keys.ordered, form, data)


def key_set_of(digest: KeyDigest) -> KeySet:
    """The keys that a digest tells of. Raises InvalidMessage for bytes that are not of its form."""
    bounds = (digest.low, digest.high, digest.ordered)
    match digest.form:
        case KeyForm.CODES:
            _check(digest, len(digest.data) % 8 == 0)
            return KeySet(*bounds, codes=np.frombuffer(digest.data, "<i8"))
        case KeyForm.BITMAP:
            _check(digest, len(digest.data) == (digest.high - digest.low) // 8 + 1)
            bits = np.unpackbits(np.frombuffer(digest.data, np.uint8), bitorder="little")
            return KeySet(*bounds, codes=np.flatnonzero(bits) + np.int64(digest.low))
        case KeyForm.BLOOM:
            _check(digest, len(digest.data) == 8 * BLOOM_WORDS)
            return KeySet(*bounds, words=np.frombuffer(digest.data, "<u8"))
        case KeyForm.BOUNDS:
            return KeySet(*bounds)


def united(digests: Iterable[KeyDigest]) -> KeyDigest:
    """What several tasks (at least one) wrote, together."""
    parts = list(digests)
    return digest_of(parts[0].filter, unite([key_set_of(part) for part in parts]))


def _packed(keys: KeySet) -> tuple[KeyForm, bytes]:
    if keys.codes is not None:
        span = keys.high - keys.low + 1
        if 0 < span <= min(64 * len(keys.codes), 64 * MOST_CODES):
            bits = np.zeros(span, np.bool_)
            bits[keys.codes - np.int64(keys.low)] = True
            return KeyForm.BITMAP, np.packbits(bits, bitorder="little").tobytes()
        return KeyForm.CODES, keys.codes.astype("<i8").tobytes()
    if keys.words is not None:
        return KeyForm.BLOOM, keys.words.astype("<u8").tobytes()
    return KeyForm.BOUNDS, b""


def _check(digest: KeyDigest, right: bool) -> None:
    if not right:
        raise InvalidMessage(f"{len(digest.data)} bytes are no {digest.form.value} of keys of filter {digest.filter}")

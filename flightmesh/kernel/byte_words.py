"""The bytes of a string array, eight at a time: the word that begins at any byte, whatever its alignment.

Handed a string or binary array; hands on lengths and little-endian words. What always holds: reading at or past the end of the
data gives zeros there, so callers mask what is not theirs. numpy gathers unaligned words slowly (25 ns each); two aligned
words shifted together take a fifth of that, so the array's own bytes are copied once to where that is safe.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.kernel.values import Array, Int64s, Words

_WORD = 8
_BITS = np.uint64(63)


class ByteWords:
    """One array's strings. `starts` and `lengths` are in bytes; starts count from the first string's first byte."""

    def __init__(self, array: Array) -> None:
        offsets = _offsets(array)
        first, last = int(offsets[0]), int(offsets[-1])
        self.starts: Int64s = (offsets[:-1] - first).astype(np.int64)
        self.lengths: Int64s = np.diff(offsets).astype(np.int64)
        self.shortest = int(self.lengths.min()) if len(array) else 0
        self.longest = int(self.lengths.max()) if len(array) else 0
        self._words = _padded(array.buffers()[2], first, last - first)

    def at(self, places: Int64s) -> Words:
        """The word that begins at each of these bytes (all of them inside the data or at its end)."""
        index = places >> 3
        low = np.take(self._words, index)
        index += 1
        high = np.take(self._words, index)
        shift = (places & 7).astype(np.uint64) << np.uint64(3)
        low >>= shift
        high <<= _BITS - shift  # in two steps: a shift by 64 would be undefined
        high <<= np.uint64(1)
        low |= high
        return low

    def column(self, at: int, step: int, rows: int) -> Words:
        """For strings of one length `step`: the words that begin at byte `at` of each of the first `rows` strings."""
        return np.ndarray((rows,), np.dtype("<u8"), self._words, at, (step,))


def longest_bytes(array: Array) -> int:
    """Bytes of the longest string of an array that is not empty."""
    return int(np.diff(_offsets(array)).max())


def _offsets(array: Array) -> npt.NDArray[np.signedinteger[Any]]:
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    kind = np.dtype("<i8" if wide else "<i4")
    return np.frombuffer(array.buffers()[1], kind, count=len(array) + 1, offset=array.offset * kind.itemsize)


def _padded(buffer: pa.Buffer | None, first: int, size: int) -> npt.NDArray[Any]:
    """The bytes as aligned words, with at least two words of zeros behind them."""
    words = np.empty(size // _WORD + 3, np.dtype("<u8"))
    words[size // _WORD :] = 0
    if size and buffer is not None:
        words.view(np.uint8)[:size] = np.frombuffer(buffer, np.uint8, count=size, offset=first)
    return words

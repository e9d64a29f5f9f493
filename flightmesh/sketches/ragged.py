"""Rows of varying length in one flat array: the row and the place of each of their values.

Handed lengths and starts of rows; hands on numbers, one a value, row after row. What always holds: nothing here holds the GIL
for longer than a few microseconds (`np.repeat` would).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64s = npt.NDArray[np.int64]


def row_of_each(lengths: Int64s) -> Int64s:
    """The row that each value is of."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.cumsum(np.bincount(ends, minlength=total + 1))[:total]


def places_in(starts: Int64s, lengths: Int64s) -> Int64s:
    """Where each value stands, when row n is the `lengths[n]` values from `starts[n]` on."""
    row = row_of_each(lengths)
    return (starts - (np.cumsum(lengths) - lengths))[row] + np.arange(len(row))


def large_offsets(array: pa.Array) -> Int64s:
    """Where in its buffer of bytes each value of a large binary array begins, and the end of the last."""
    return np.frombuffer(array.buffers()[1], np.dtype("<i8"), count=len(array) + 1, offset=8 * array.offset)


def large_values(array: pa.Array) -> tuple[Int64s, Int64s, Int64s]:
    """A large binary array whose values are words of eight bytes: the words, where each value begins, how many it has."""
    offsets = large_offsets(array)
    data = array.buffers()[2]
    total = int(offsets[-1]) // 8 if data is not None else 0
    words = np.frombuffer(data, np.dtype("<i8"), count=total) if total else np.zeros(0, np.int64)
    return words, offsets[:-1] // 8, np.diff(offsets) // 8


def large_array(words: npt.NDArray[np.int64] | npt.NDArray[np.uint64], lengths: Int64s) -> pa.Array:
    """The large binary array whose values are so many of these words each."""
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths) * 8))
    return pa.Array.from_buffers(pa.large_binary(), len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(words)])

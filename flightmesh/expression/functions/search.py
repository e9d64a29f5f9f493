"""Substring search over whole batches: one pass over the bytes of all texts, where pyarrow walks text by text.

Handed a string array and a constant needle; hands on booleans. What always holds: equal to pyarrow's `match_substring`;
candidates are found by comparing three bytes of the needle at once, then checked byte by byte.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flightmesh.expression.arrays import boolean_array, validity_buffer

Bytes = npt.NDArray[np.uint8]

_BLOCK = 1 << 17


def contains(text: pa.Array, needle: str) -> pa.Array:
    """Whether each text has the needle in it; NULL for NULL."""
    wanted = np.frombuffer(needle.encode(), np.uint8)
    data = text.buffers()[2] if pa.types.is_string(text.type) else None
    if len(wanted) < 2 or data is None or len(text) == 0:
        return pc.match_substring(text, pattern=needle)
    offsets = np.frombuffer(text.buffers()[1], np.int32, count=len(text) + 1, offset=4 * text.offset)
    first, last = int(offsets[0]), int(offsets[-1])
    found = np.zeros(len(text), np.bool_)
    if last - first >= len(wanted):
        letters = np.frombuffer(data, np.uint8, count=last - first, offset=first)
        places = _places(letters, wanted)
        rows = np.searchsorted(offsets[1:], places + first, side="right")
        inside = places + first + len(wanted) <= offsets[rows + 1]
        found[rows[inside]] = True
    return boolean_array(found, validity_buffer(text))


def _places(letters: Bytes, wanted: Bytes) -> npt.NDArray[np.int64]:
    """Where the needle starts in the bytes, rows' borders not minded; a block of the bytes at a time, so that its masks stay
    in cache.
    """
    starts = len(letters) - len(wanted) + 1
    parts = [
        _places_in(letters[begin : min(begin + _BLOCK, starts) + len(wanted) - 1], wanted) + begin
        for begin in range(0, starts, _BLOCK)
    ]
    return np.concatenate(parts)


def _places_in(letters: Bytes, wanted: Bytes) -> npt.NDArray[np.int64]:
    size = len(wanted)
    count = len(letters) - size + 1
    candidate = letters[:count] == wanted[0]
    for index in sorted({size // 2, size - 1}):
        candidate &= letters[index : index + count] == wanted[index]
    places = np.flatnonzero(candidate)
    for index in range(1, size - 1):
        if index != size // 2:
            places = places[letters[places + index] == wanted[index]]
    return places

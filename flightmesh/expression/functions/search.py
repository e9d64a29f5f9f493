"""Substring search over whole batches: one pass over the bytes of all texts, where pyarrow walks text by text.

Handed a string array and constant needles; hands on booleans. What always holds: of one needle, equal to pyarrow's
`match_substring`; candidates are found by comparing three bytes of the needle at once, then checked byte by byte. Of several
needles each is looked for only in the texts that have those before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.arrays import boolean_array, validity_buffer

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

_BLOCK = 1 << 17


def contains(text: pa.Array, needle: str) -> pa.Array:
    """Whether each text has the needle in it; NULL for NULL."""
    if len(needle.encode()) < 2 or not pa.types.is_string(text.type):
        return pc.match_substring(text, pattern=needle)
    return contains_in_order(text, (needle,))


def contains_in_order(text: pa.StringArray, needles: Sequence[str]) -> pa.Array:
    """Whether each text has all needles (at least one, none of them empty), each behind the end of the one before; NULL for
    NULL."""
    rows, ends = _first_ends(text, needles[0], None)
    for needle in needles[1:]:
        behind, ends = _first_ends(text.take(pa.array(rows)), needle, ends)
        rows = rows[behind]
    found = np.zeros(len(text), np.bool_)
    found[rows] = True
    return boolean_array(found, validity_buffer(text))


def _first_ends(text: pa.StringArray, needle: str, begins: Places | None) -> tuple[Places, Places]:
    """The rows that have the needle (at or behind the byte that `begins` says for each row), in order, and how many bytes into
    the row the first one ends. Of NULL rows they say nothing."""
    wanted, data = np.frombuffer(needle.encode(), np.uint8), text.buffers()[2]
    if data is None or len(text) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    offsets = np.frombuffer(text.buffers()[1], np.int32, count=len(text) + 1, offset=4 * text.offset)
    first, last = int(offsets[0]), int(offsets[-1])
    if last - first < len(wanted):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    places = _places(np.frombuffer(data, np.uint8, count=last - first, offset=first), wanted) + first
    rows = np.searchsorted(offsets[1:], places, side="right")
    inside = places + len(wanted) <= offsets[rows + 1]
    if begins is not None:
        inside &= places >= offsets[rows] + begins[rows]
    rows, places = rows[inside], places[inside]
    is_first = np.ones(len(rows), np.bool_)
    np.not_equal(rows[1:], rows[:-1], out=is_first[1:])
    rows, places = rows[is_first], places[is_first]
    return rows, places + len(wanted) - offsets[rows]


def _places(letters: Bytes, wanted: Bytes) -> Places:
    """Where the needle starts in the bytes, rows' borders not minded; a block of the bytes at a time, so that its masks stay
    in cache.
    """
    starts = len(letters) - len(wanted) + 1
    parts = [
        _places_in(letters[begin : min(begin + _BLOCK, starts) + len(wanted) - 1], wanted) + begin
        for begin in range(0, starts, _BLOCK)
    ]
    return np.concatenate(parts)


def _places_in(letters: Bytes, wanted: Bytes) -> Places:
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

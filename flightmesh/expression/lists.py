"""List arrays taken apart and put together: one array of all elements, and where each list begins among them.

Handed list arrays of any slice; hands on offsets from 0 and exactly the elements that the lists hold. What always holds: a NULL
list is a list of no elements that is not valid, and no call here holds the GIL for the length of a batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.expression.arrays import valid_mask

Int64s = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_LARGEST_OFFSET = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Lists:
    """`offsets`: one more than there are lists; list i holds `values` from offsets[i] to offsets[i + 1]. `valid`: None where no
    list is NULL."""

    offsets: Int64s
    values: pa.Array
    valid: Mask | None

    @property
    def lengths(self) -> Int64s:
        """Elements a list; 0 for NULL."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Int64s:
        """For each element the number of its list."""
        return rows_of(self.offsets)


def taken_apart(array: pa.Array) -> Lists:
    """The elements of all lists and where each list begins."""
    lengths = pc.list_value_length(array)
    filled = pc.fill_null(lengths, 0) if lengths.null_count else lengths
    offsets = offsets_of(np.asarray(filled))
    return Lists(offsets, array.flatten(), valid_mask(array) if array.null_count else None)


def put_together(offsets: Int64s, values: pa.Array, valid: Mask | None = None) -> pa.Array:
    """The list array of these parts. Raises ArrowCapacityError past the elements that 32-bit offsets can count."""
    if int(offsets[-1]) > _LARGEST_OFFSET:
        raise pa.ArrowCapacityError("more list elements than an array can hold")
    bits = None if valid is None or valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [bits, pa.py_buffer(offsets.astype(np.int32))]
    return pa.Array.from_buffers(pa.list_(values.type), len(offsets) - 1, buffers, children=[values])


def offsets_of(lengths: npt.NDArray[Any]) -> Int64s:
    """Where lists of these lengths begin, and where the last ends."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def rows_of(offsets: Int64s) -> Int64s:
    """For each element the number of its list: np.repeat, which would hold the GIL, as counts added up."""
    total = int(offsets[-1])
    return np.cumsum(np.bincount(offsets[1:-1], minlength=total + 1)[:total])


def places_of(offsets: Int64s) -> Int64s:
    """For each element its place in its list, from 0."""
    return np.arange(int(offsets[-1])) - offsets[:-1][rows_of(offsets)]


def kept_elements(lists: Lists, kept: Mask) -> tuple[Int64s, pa.Array]:
    """Offsets and elements with only the `kept` elements, in order."""
    return offsets_of(kept)[lists.offsets], lists.values.take(pa.array(np.flatnonzero(kept)))

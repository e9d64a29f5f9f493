"""Codes of text columns that come again and again, as they do in the copies that grouping sets are made of.

Handed key columns a batch at a time; hands on the same columns with numbers for texts, equal exactly where the texts are. What
always holds: codes of one call belong together, those of two calls need not; a column is encoded once for as long as the very
same one stands at its place, columns of nothing but NULL in between not counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.kernel.values import Array, is_byte_string


class TextCodes:
    """What was encoded last, by place. Used by one task."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Array, Array]] = {}

    def encoded(self, columns: Sequence[Array]) -> list[Array]:
        """The columns, texts as codes, dictionaries (of distinct entries) as their numbers; those without a value stay."""
        return [self._coded(place, column) for place, column in enumerate(columns)]

    def _coded(self, place: int, column: Array) -> Array:
        if pa.types.is_dictionary(column.type):
            return column.indices
        return self._codes(place, column) if is_byte_string(column.type) and column.null_count < len(column) else column

    def _codes(self, place: int, column: Array) -> Array:
        known = self._known.get(place)
        if known is None or not _is_same(known[0], column):
            # The column is kept beside its codes, so that no other can come to lie at its address.
            known = self._known[place] = column, pc.dictionary_encode(column).indices
        return known[1]


def _is_same(left: Array, right: Array) -> bool:
    """Whether two arrays are the same bytes in the same place."""
    return len(left) == len(right) and left.offset == right.offset and _addresses(left) == _addresses(right)


def _addresses(array: Array) -> list[int | None]:
    return [None if buffer is None else buffer.address for buffer in array.buffers()]

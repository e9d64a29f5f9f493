"""Physical sort keys as the kernels take them."""

from __future__ import annotations

from flightmesh.kernel.sort import SortKey
from flightmesh.physical.operators import ColumnOrder


def sort_keys(order: tuple[ColumnOrder, ...]) -> tuple[SortKey, ...]:
    """The same keys by column name."""
    return tuple(SortKey(o.column.key, o.descending, o.nulls_first) for o in order)

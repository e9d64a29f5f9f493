"""Ranking window functions: what a row's place among its peers and in its partition says.

Handed a layout of sorted rows; hands on one number a row, never NULL but for ntile(NULL).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from flightmesh.errors import DataError
from flightmesh.kernel.values import Array, Int64s, integers, validity
from flightmesh.kernel.window_layout import Layout


def _before(layout: Layout) -> Int64s:
    """Rows of the partition before each row."""
    return layout.numbers - layout.partitions.starts[layout.partitions.ids]


def _sizes(layout: Layout) -> Int64s:
    """Rows of each row's partition."""
    return (layout.partitions.ends - layout.partitions.starts)[layout.partitions.ids]


def _peers_before(layout: Layout) -> Int64s:
    """Rows of the partition before each row's first peer."""
    return layout.peers.starts[layout.peers.ids] - layout.partitions.starts[layout.partitions.ids]


def _row_number(layout: Layout) -> Array:
    return pa.array(_before(layout) + 1)


def _rank(layout: Layout) -> Array:
    return pa.array(_peers_before(layout) + 1)


def _dense_rank(layout: Layout) -> Array:
    first = layout.peers.ids[layout.partitions.starts]
    return pa.array(layout.peers.ids - first[layout.partitions.ids] + 1)


def _percent_rank(layout: Layout) -> Array:
    return pa.array(_peers_before(layout) / np.maximum(_sizes(layout) - 1, 1))


def _cume_dist(layout: Layout) -> Array:
    up_to = layout.peers.ends[layout.peers.ids] - layout.partitions.starts[layout.partitions.ids]
    return pa.array(up_to / _sizes(layout))


RANKS: dict[str, Callable[[Layout], Array]] = {
    "row_number": _row_number,
    "rank": _rank,
    "dense_rank": _dense_rank,
    "percent_rank": _percent_rank,
    "cume_dist": _cume_dist,
}
"""The ranking functions without arguments."""


def ntile(layout: Layout, buckets: Array) -> Array:
    """The bucket of each row when its partition is dealt to so many, the first ones having one row more where it does not
    come out even."""
    valid = validity(buckets)
    count = integers(buckets)
    count = count if valid is None else np.where(valid, count, 1)
    if (count < 1).any():
        raise DataError("ntile takes a number of buckets from 1 up")
    size, row = _sizes(layout), _before(layout)
    small, larger = size // count, size % count
    in_larger = larger * (small + 1)
    rest = larger + (row - in_larger) // np.maximum(small, 1)
    return pa.array(np.where(row < in_larger, row // (small + 1), rest) + 1, mask=None if valid is None else ~valid)

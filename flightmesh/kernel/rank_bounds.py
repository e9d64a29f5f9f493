"""What a row has to be at least, to rank among the first rows of its group that have been seen so far.

Handed rows that are sorted by group and order, with their layout; hands on a value for each group that has its first rows
already, and of further rows which may still be among them. What always holds: a row that is left out ranks behind them all; no
row is left out whose group is not full, or where it or the bound is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.kernel.join_index import JoinIndex, build_key_index
from flightmesh.kernel.sort import sortable
from flightmesh.kernel.values import Array
from flightmesh.kernel.window_layout import Layout


@dataclass(frozen=True, slots=True)
class RankBounds:
    """The bound of each group that `index` knows: in `limits`, as `sortable` has the first key of the order."""

    index: JoinIndex
    limits: Array
    descending: bool

    def may_rank(self, groups: Sequence[Array], key: Array) -> Array:
        """Which rows with these groups and first keys may be among the first; booleans, never NULL."""
        found = self.index.lookup([_plain(group) for group in groups], len(key)).first()
        limits = self.limits.take(pa.array(found, mask=found < 0))
        behind = (pc.less if self.descending else pc.greater)(sortable(key), limits)
        return pc.invert(pc.fill_null(behind, False))


def rank_bounds(
    groups: Sequence[Array], key: Array, layout: Layout, ranking: str, count: int, descending: bool
) -> RankBounds | None:
    """The bounds after these sorted rows, of which `key` is the first key of the order; None where no group is full. `ranking`:
    row_number, rank or dense_rank."""
    starts = layout.partitions.starts
    if ranking == "dense_rank":
        first = layout.peers.ids[starts]
        full = np.flatnonzero(np.append(first[1:], len(layout.peers.starts)) - first >= count)
        last = layout.peers.starts[first[full] + count - 1]
    else:
        full = np.flatnonzero(layout.partitions.ends - starts >= count)
        last = starts[full] + count - 1
    if len(full) == 0:
        return None
    known = pa.array(starts[full])
    index = build_key_index([_plain(group.take(known)) for group in groups], [True] * len(groups), layout.rows)
    return RankBounds(index, sortable(key.take(pa.array(last))), descending)


def _plain(array: Array) -> Array:
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array

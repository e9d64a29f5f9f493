"""Runs TopOfGroups: keeps of each group the rows that rank first, holding about as many as it gives.

Rows are ranked when enough have gathered, together with those kept so far. From then on what is behind the last of a group that
has all its rows is dropped as it comes: the more rows a group has had, the fewer of its rows are gathered and sorted. Where
ranking leaves most of the rows, groups are small: then all rows are handed on as they come, for the rows beyond the rank are
dropped above in any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

import numpy as np
import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.fragment.coalesce import slices
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.ordering import sort_keys
from flightmesh.fragment.site import Memory, Site, batch_bytes
from flightmesh.kernel.batches import concat_batches, take_rows
from flightmesh.kernel.rank_bounds import RankBounds, rank_bounds
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.values import integers
from flightmesh.kernel.window_layout import layouts
from flightmesh.kernel.window_ranks import RANKS
from flightmesh.physical.operators import TopOfGroups

GATHERED_ROWS = 1 << 16
"""Rows that are ranked together, at least."""
JUDGED_ROWS = 1 << 18
"""Rows after which it is known whether groups are small."""
WORTH_RANKING = 0.75
"""Ranking is worth its while where it leaves at most this share of the rows."""


@dataclass(slots=True)
class _Ranking:
    """What is kept, and what may still join it. `seen`: rows since the start."""

    node: TopOfGroups
    gathered: list[pa.RecordBatch] = field(default_factory=list)
    count: int = 0
    seen: int = 0
    bounds: RankBounds | None = None

    def may_rank(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that may rank among those kept."""
        self.seen += batch.num_rows
        if self.bounds is None or batch.num_rows == 0:
            return batch
        groups = [batch.column(column.key) for column in self.node.groups]
        kept = self.bounds.may_rank(groups, batch.column(self.node.keys[0].column.key))
        return batch if kept.true_count == len(kept) else batch.filter(kept)

    def add(self, batch: pa.RecordBatch) -> None:
        """Gathers rows."""
        self.gathered.append(batch)
        self.count += batch.num_rows

    def rank(self, memory: Memory) -> pa.RecordBatch:
        """Keeps the rows that rank first among those that are gathered."""
        node, schema = self.node, self.gathered[0].schema
        merged = concat_batches(self.gathered, schema)
        if merged.num_rows == 0:
            return merged
        order = sort_indices(merged, (*(SortKey(c.key) for c in node.groups), *sort_keys(node.keys)))
        groups = [merged.column(c.key).take(order) for c in node.groups]
        keys = [merged.column(k.column.key).take(order) for k in node.keys]
        layout = layouts(groups, keys, merged.num_rows, [len(keys)])[len(keys)]
        if groups and keys:
            self.bounds = rank_bounds(groups, keys[0], layout, node.ranking, node.count, node.keys[0].descending)
        first = np.flatnonzero(integers(RANKS[node.ranking](layout)) <= node.count)
        kept = take_rows(merged, order.take(pa.array(first)), schema)
        memory.hold(batch_bytes(kept))
        self.gathered, self.count = [kept], kept.num_rows
        return kept


def run_top_of_groups(node: TopOfGroups, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """Those of this task's rows that may rank first in their group; more where that would not make fewer."""
    with site.memory("keeping the top rows of groups") as memory:
        ranking, limit, ranks = _Ranking(node), GATHERED_ROWS, True
        for batch in rows:
            site.context.check()
            if not ranks:
                yield batch
                continue
            may_rank = ranking.may_rank(batch)
            if may_rank.num_rows == 0 and ranking.gathered:
                continue
            memory.take(batch_bytes(may_rank))
            ranking.add(may_rank)
            if ranking.count < limit:
                continue
            kept = ranking.rank(memory)
            limit = max(GATHERED_ROWS, 2 * kept.num_rows)
            ranks = ranking.seen < JUDGED_ROWS or kept.num_rows <= WORTH_RANKING * ranking.seen
            if not ranks:
                yield from slices(kept, site.context.morsel_rows)
                ranking.gathered = []
                memory.give_back(memory.held)
        if ranking.gathered:
            yield from slices(ranking.rank(memory), site.context.morsel_rows)

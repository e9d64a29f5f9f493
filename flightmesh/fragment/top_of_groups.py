"""Runs TopOfGroups: keeps of each group the rows that rank first, holding about as many as it gives.

Rows are ranked when enough have gathered, together with those kept so far. Where that leaves most of them, groups are small:
then all rows are handed on as they come, for the rows beyond the rank are dropped above in any case.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from flightmesh.fragment.coalesce import slices
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.ordering import sort_keys
from flightmesh.fragment.site import Memory, Site, batch_bytes
from flightmesh.kernel.batches import concat_batches, take_rows
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.values import integers
from flightmesh.kernel.window_layout import layouts
from flightmesh.kernel.window_ranks import RANKS
from flightmesh.physical.operators import TopOfGroups

GATHERED_ROWS = 1 << 18
"""Rows that are ranked together, at least."""
WORTH_RANKING = 0.75
"""Ranking is worth its while where it leaves at most this share of the rows."""


def run_top_of_groups(node: TopOfGroups, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """Those of this task's rows that may rank first in their group; more where that would not make fewer."""
    with site.memory("keeping the top rows of groups") as memory:
        gathered: list[pa.RecordBatch] = []
        count, limit, ranks = 0, GATHERED_ROWS, True
        for batch in rows:
            site.context.check()
            if not ranks:
                yield batch
                continue
            memory.take(batch_bytes(batch))
            gathered.append(batch)
            count += batch.num_rows
            if count < limit:
                continue
            kept = _ranked(node, gathered, memory)
            ranks = kept.num_rows <= WORTH_RANKING * count
            gathered, count, limit = [kept], kept.num_rows, max(GATHERED_ROWS, 2 * kept.num_rows)
            if not ranks:
                yield from slices(kept, site.context.morsel_rows)
                gathered = []
                memory.give_back(memory.held)
        if gathered:
            yield from slices(_ranked(node, gathered, memory), site.context.morsel_rows)


def _ranked(node: TopOfGroups, gathered: list[pa.RecordBatch], memory: Memory) -> pa.RecordBatch:
    """The rows that rank first among these."""
    schema = gathered[0].schema
    merged = concat_batches(gathered, schema)
    if merged.num_rows == 0:
        return merged
    order = sort_indices(merged, (*(SortKey(c.key) for c in node.groups), *sort_keys(node.keys)))
    groups = [merged.column(c.key).take(order) for c in node.groups]
    keys = [merged.column(k.column.key).take(order) for k in node.keys]
    layout = layouts(groups, keys, merged.num_rows, [len(keys)])[len(keys)]
    first = np.flatnonzero(integers(RANKS[node.ranking](layout)) <= node.count)
    kept = take_rows(merged, order.take(pa.array(first)), schema)
    memory.hold(batch_bytes(kept))
    return kept

"""Runs SortRows: collects this task's rows, then gives them in order, a morsel at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.ordering import sort_keys
from flightmesh.fragment.site import Site, batch_bytes
from flightmesh.kernel.batches import concat_batches, take_rows
from flightmesh.kernel.sort import sort_indices
from flightmesh.physical.operators import SortRows


def run_sort(node: SortRows, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The input's rows, sorted; stable among equals."""
    with site.memory("sorting") as memory:
        collected: list[pa.RecordBatch] = []
        for batch in rows:
            site.context.check()
            memory.take(batch_bytes(batch))
            collected.append(batch)
        if not collected:
            return
        schema = collected[0].schema
        merged = concat_batches(collected, schema)
        collected.clear()
        memory.take(8 * merged.num_rows)
        order = sort_indices(merged, sort_keys(node.keys))
        for start in range(0, merged.num_rows, site.context.morsel_rows):
            site.context.check()
            yield take_rows(merged, order.slice(start, site.context.morsel_rows), schema)

"""Runs TopRows: the first rows of this task in order, holding about as many as it gives."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flightmesh.fragment.coalesce import slices
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.ordering import sort_keys
from flightmesh.fragment.site import Site
from flightmesh.kernel.topk import TopRows as TopRowsKernel
from flightmesh.physical.operators import TopRows


def run_top(node: TopRows, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """At most `count` rows, sorted."""
    top = TopRowsKernel(sort_keys(node.keys), node.count, site.context.morsel_rows)
    if site.bound is not None:
        site.bound.follow(top)
    schema: pa.Schema | None = None
    with site.memory("keeping the top rows") as memory:
        for batch in rows:
            site.context.check()
            schema = batch.schema
            top.add(batch)
            memory.hold(top.nbytes)
        if schema is not None:
            yield from slices(top.result(schema), site.context.morsel_rows)

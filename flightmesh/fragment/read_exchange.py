"""Runs ReadExchange: this task's buckets of an edge, as they come or merged in the order in which the producers sorted them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.fragment.coalesce import coalesce
from flightmesh.fragment.ordering import sort_keys
from flightmesh.fragment.site import Site, batch_bytes
from flightmesh.fragment.turns import Turns
from flightmesh.kernel.merge import merge_runs
from flightmesh.physical.operators import ReadExchange


def run_read_exchange(node: ReadExchange, site: Site) -> Iterator[pa.RecordBatch]:
    """The edge's rows in morsels."""
    if site.turns is None or node.edge in site.turns.once:
        yield from _read(node, site)
    else:
        yield from _kept(node, site, site.turns)


def _kept(node: ReadExchange, site: Site, turns: Turns) -> Iterator[pa.RecordBatch]:
    """The rows as the first turn has read them, all of them before the first is given."""
    if node.edge not in turns.edges:
        kept: list[pa.RecordBatch] = []
        for batch in _read(node, site):
            site.context.reserve(batch_bytes(batch), "what each turn of a recursive query reads")
            kept.append(batch)
        turns.edges[node.edge] = kept
    for batch in turns.edges[node.edge]:
        site.context.check()
        yield batch


def _read(node: ReadExchange, site: Site) -> Iterator[pa.RecordBatch]:
    rows = site.context.morsel_rows
    if not node.order:
        yield from coalesce(_checked(node, site.context.read_edge(node.edge), site), rows)
        return
    runs = [_checked(node, run, site) for run in site.context.read_edge_runs(node.edge)]
    site.metrics.count("runs", len(runs))
    for batch in coalesce(merge_runs(runs, sort_keys(node.order)), rows):
        site.context.check()
        yield batch


def _checked(node: ReadExchange, batches: Iterator[pa.RecordBatch], site: Site) -> Iterator[pa.RecordBatch]:
    """The batches with exactly the node's columns."""
    keys = [f.key for f in node.fields]
    for batch in batches:
        site.context.check()
        names = batch.schema.names
        if names == keys:
            yield batch
        elif set(keys) <= set(names):
            yield batch.select(keys)
        else:
            raise InternalError(f"edge {node.edge} brought columns {names} where {keys} were expected")

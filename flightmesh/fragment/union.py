"""Runs UnionRows: its inputs one after the other, columns matched by position and renamed to the union's."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.site import Site
from flightmesh.kernel.batches import make_batch
from flightmesh.physical.operators import UnionRows


def run_union(node: UnionRows, inputs: tuple[Pull, ...], site: Site) -> Iterator[pa.RecordBatch]:
    """All rows of all inputs."""
    names = [f.key for f in node.fields]
    for rows in inputs:
        for batch in rows:
            site.context.check()
            yield make_batch(batch.columns, names, batch.num_rows)
        rows.close()

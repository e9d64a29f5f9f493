"""Runs ValuesRows: constant rows, given by task 0 alone so that a stage of many tasks gives them once."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flightmesh.fragment.coalesce import slices
from flightmesh.fragment.site import Site
from flightmesh.kernel.batches import make_batch
from flightmesh.physical.operators import ValuesRows


def run_values(node: ValuesRows, site: Site) -> Iterator[pa.RecordBatch]:
    """The rows in morsels, named by id."""
    if site.context.attempt.task.index != 0:
        return
    rows = make_batch(node.rows.columns, [f.key for f in node.fields], node.rows.num_rows)
    for part in slices(rows, site.context.morsel_rows):
        site.context.check()
        yield part

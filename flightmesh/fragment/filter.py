"""Runs FilterRows: the rows where the predicate is true, gathered into morsels again when few remain."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flightmesh.fragment.coalesce import coalesce
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.portions import Portions
from flightmesh.fragment.site import Site
from flightmesh.kernel.masks import keep_rows
from flightmesh.physical.operators import FilterRows


def run_filter(node: FilterRows, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The input's rows that pass."""
    return coalesce(_passing(node, rows, site), site.context.morsel_rows)


def _passing(node: FilterRows, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    portions = Portions((node.predicate,))
    for batch in rows:
        site.context.check()
        for part, (mask,) in portions.run(batch):
            yield keep_rows(part, mask)

"""Runs LimitRows: skips `offset` rows, hands on `count`, then closes its input so that scans and producers stop."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.site import Site
from flightmesh.physical.operators import LimitRows


def run_limit(node: LimitRows, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """At most `count` rows after the first `offset`."""
    skip, left = node.offset, node.count
    if left != 0:
        for batch in rows:
            site.context.check()
            part = batch.slice(skip, left)
            skip = max(0, skip - batch.num_rows)
            if part.num_rows:
                yield part
            if left is not None:
                left -= part.num_rows
                if left == 0:
                    break
    rows.close()

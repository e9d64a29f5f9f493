"""Runs ProjectColumns: its columns computed together by one program, in portions of a batch where they come out long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from flightmesh.expression.nodes import Column
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.portions import Portions
from flightmesh.fragment.site import Site
from flightmesh.kernel.batches import make_batch
from flightmesh.kernel.values import Array
from flightmesh.physical.operators import ProjectColumns


def run_project(node: ProjectColumns, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The computed columns, named by id. Columns that are only passed on cost nothing and need no program."""
    items = [item for item in node.items if not isinstance(item.expression, Column)]
    short = [number for number, item in enumerate(items) if item.field.id in site.encoded]
    portions = Portions([item.expression for item in items], short) if items else None
    for batch in rows:
        site.context.check()
        if portions is None:
            yield _put_together(node, batch, ())
            continue
        for part, values in portions.run(batch):
            yield _put_together(node, part, values)
            site.context.check()


def _put_together(node: ProjectColumns, batch: pa.RecordBatch, values: Sequence[Array]) -> pa.RecordBatch:
    computed = iter(values)
    columns = [batch.column(i.expression.key) if isinstance(i.expression, Column) else next(computed) for i in node.items]
    return make_batch(columns, [item.field.key for item in node.items], batch.num_rows)

"""Runs ProjectColumns: one output batch for each input batch, its columns computed together by one program."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flightmesh.expression.lower import compile_expressions
from flightmesh.expression.nodes import Column
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.site import Site
from flightmesh.kernel.batches import make_batch
from flightmesh.physical.operators import ProjectColumns


def run_project(node: ProjectColumns, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The computed columns, named by id. Columns that are only passed on cost nothing and need no program."""
    computed = [item.expression for item in node.items if not isinstance(item.expression, Column)]
    program = compile_expressions(tuple(computed)) if computed else None
    names = [item.field.key for item in node.items]
    for batch in rows:
        site.context.check()
        results = iter(program.run(batch) if program is not None else ())
        columns = [
            batch.column(item.expression.key) if isinstance(item.expression, Column) else next(results) for item in node.items
        ]
        yield make_batch(columns, names, batch.num_rows)

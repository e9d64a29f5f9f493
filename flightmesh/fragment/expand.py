"""Runs ExpandSets: each batch once for every grouping set, with the keys that the set leaves out as NULLs.

Handed batches; hands on as many copies of each as there are sets. What always holds: columns that a copy shares with its
batch are the same arrays, not copies of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.site import Site
from flightmesh.ids import ColumnId
from flightmesh.kernel.batches import make_batch
from flightmesh.kernel.values import Array
from flightmesh.physical.operators import ExpandSets


def run_expand(node: ExpandSets, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The copies of the input's rows, then the rows of groups that are there though no row is."""
    for batch in rows:
        sources = [batch.column(_source(node, place)) for place in range(len(node.keys))]
        nulls = {i.field.id: pa.nulls(batch.num_rows, column.type) for i, column in zip(node.keys, sources, strict=True)}
        there = {} if node.present is None else {node.present.id: pa.repeat(pa.scalar(True), batch.num_rows)}
        for number, kept in enumerate(node.sets):
            site.context.check()
            made = nulls | there | {node.keys[place].field.id: sources[place] for place in kept}
            yield _put_together(node, batch, made | {node.number.id: _numbers(number, batch.num_rows)})
    if node.whole:
        yield pa.concat_batches([_without_rows(node, number) for number in node.whole])


def _source(node: ExpandSets, place: int) -> str:
    return f"c{node.keys[place].expression.id}"  # type: ignore[union-attr]


def _numbers(number: int, rows: int) -> Array:
    return pa.repeat(pa.scalar(number, pa.int64()), rows)


def _put_together(node: ExpandSets, batch: pa.RecordBatch, made: Mapping[ColumnId, Array]) -> pa.RecordBatch:
    columns = [made[f.id] if f.id in made else batch.column(f.key) for f in node.fields]
    return make_batch(columns, [f.key for f in node.fields], batch.num_rows)


def _without_rows(node: ExpandSets, number: int) -> pa.RecordBatch:
    columns = [_numbers(number, 1) if f.id == node.number.id else pa.nulls(1, f.type) for f in node.fields]
    return make_batch(columns, [f.key for f in node.fields], 1)

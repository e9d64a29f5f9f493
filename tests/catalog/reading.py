"""Reads tables whole, and builds filters, for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.scan import read_split, splits
from flightmesh.catalog.table import Split, Table
from flightmesh.expression.nodes import Call, Column, Expression, Field, Literal
from flightmesh.ids import ColumnId

MORSEL_ROWS = 1000


def read_all(
    table: Table,
    columns: Sequence[str] | None = None,
    *,
    only: Sequence[Split] | None = None,
    memory: MemoryTables | None = None,
    metrics: ReadMetrics | None = None,
) -> pa.Table:
    """The rows of all splits (or of `only` some); asserts that every batch has the promised columns, types and size."""
    names = list(table.schema.names if columns is None else columns)
    wanted = pa.schema([(name, table.schema.field(name).type) for name in names] or [("__rows", pa.int8())])
    batches = []
    for split in splits(table) if only is None else only:
        for batch in read_split(table, split, names, morsel_rows=MORSEL_ROWS, memory=memory, metrics=metrics):
            assert batch.schema.names == wanted.names
            assert batch.schema.types == wanted.types
            assert 0 < batch.num_rows <= MORSEL_ROWS
            batches.append(pa.RecordBatch.from_arrays(batch.columns, schema=wanted))
    return pa.Table.from_batches(batches, wanted)


def fields_of(table: Table) -> dict[str, Field]:
    """A field for each column of a table, by name."""
    return {entry.name: Field(ColumnId(number), entry.name, entry.type) for number, entry in enumerate(table.schema)}


def call(function: str, *args: Expression) -> Call:
    """A boolean call."""
    return Call(function, args, pa.bool_())


def literal(value: Any, kind: pa.DataType) -> Literal:
    """A typed constant."""
    return Literal(pa.scalar(value, kind))


def compare(function: str, field: Field, value: Any) -> Call:
    """`field <function> value`, the value of the field's type."""
    return call(function, Column(field.id, field.name, field.type), literal(value, field.type))

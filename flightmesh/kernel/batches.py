"""Makes record batches that know their row count, even without columns.

The rule for batches without columns (COUNT(*) over a scan that reads nothing): the batch itself carries the number of rows. pyarrow
keeps it through select, slice, filter, take, concat and IPC, but `RecordBatch.from_arrays([])` has no way to say it, so every batch
that may have no columns is made here.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from flightmesh.kernel.values import Array


def make_batch(columns: Sequence[Array], names: Sequence[str], rows: int) -> pa.RecordBatch:
    """A batch of `rows` rows with these columns, possibly none."""
    if not columns:
        return rows_without_columns(rows)
    return pa.RecordBatch.from_arrays(list(columns), names=list(names))


def rows_without_columns(rows: int) -> pa.RecordBatch:
    """A batch of `rows` rows and no columns."""
    return pa.RecordBatch.from_struct_array(pa.StructArray.from_buffers(pa.struct([]), rows, [None], children=[]))


def concat_batches(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """All rows of the batches in one, in order; an empty batch of `schema` when there are none."""
    if not batches:
        return empty_batch(schema)
    if len(batches) == 1:
        return batches[0]
    return pa.concat_batches(list(batches))


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """No rows of `schema`."""
    if len(schema) == 0:
        return rows_without_columns(0)
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)

"""Makes record batches that know their row count, even without columns.

The rule for batches without columns (COUNT(*) over a scan that reads nothing): the batch itself carries the number of rows.
pyarrow keeps it through select, slice, filter, take, concat and IPC, but `RecordBatch.from_arrays([])` has no way to say it,
so every batch that may have no columns is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from flightmesh.kernel.values import Array

OFFSET_LIMIT = 2**31 - 1


def make_batch(columns: Sequence[Array], names: Sequence[str], rows: int) -> pa.RecordBatch:
    """A batch of `rows` rows with these columns, possibly none."""
    if not columns:
        return rows_without_columns(rows)
    return pa.RecordBatch.from_arrays(list(columns), names=list(names))


def rows_without_columns(rows: int) -> pa.RecordBatch:
    """A batch of `rows` rows and no columns."""
    return pa.RecordBatch.from_struct_array(pa.StructArray.from_buffers(pa.struct([]), rows, [None], children=[]))


def concat_batches(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """All rows of the batches in one, in order; an empty batch of `schema` when there are none.

    Dictionaries, and decimals in 64 bits, stay where a column has them in every batch; where it does not, they are made plain.
    String columns of more than 2 GiB together become large ones: `take_rows` makes them plain again.
    """
    if not batches:
        return empty_batch(schema)
    if len(batches) == 1:
        return batches[0]
    if not _are_alike(batches):
        batches = _alike(batches)
    large = _overflowing(batches)
    if large:
        batches = [_with_large(batch, large) for batch in batches]
    return pa.concat_batches(list(batches))


def drained(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """As `concat_batches`, of a list that it empties: a column of theirs is let go before the next one is made, so that not all
    rows are there twice."""
    if len(batches) < 2 or not _are_alike(batches) or not len(batches[0].schema) or _overflowing(batches):
        whole = concat_batches(batches, schema)
        batches.clear()
        return whole
    names, rows = batches[0].schema.names, sum(batch.num_rows for batch in batches)
    parts = [[batch.column(i) for batch in batches] for i in range(len(names))]
    batches.clear()
    columns = []
    for column in parts:
        columns.append(pa.concat_arrays(column))
        column.clear()
    return make_batch(columns, names, rows)


def take_rows(batch: pa.RecordBatch, rows: Array | npt.NDArray[Any], schema: pa.Schema) -> pa.RecordBatch:
    """The rows with these numbers (an Arrow or numpy array), with the column types of `schema`."""
    taken = batch.take(rows if isinstance(rows, pa.Array) else pa.array(rows))
    return taken if _same_types(taken.schema, schema) else taken.cast(schema)


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """No rows of `schema`."""
    if len(schema) == 0:
        return rows_without_columns(0)
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def _alike(batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The batches with columns of the same types: without dictionaries, and with decimals as wide as some batch has them."""
    kinds = list(batches[0].schema.types)
    for batch in batches[1:]:
        kinds = [_wider(*pair) for pair in zip(kinds, batch.schema.types, strict=True)]
    return [
        make_batch([_as_kind(*pair) for pair in zip(b.columns, kinds, strict=True)], b.schema.names, b.num_rows)
        for b in batches
    ]


def _wider(kind: pa.DataType, other: pa.DataType) -> pa.DataType:
    return other if pa.types.is_decimal64(kind) and pa.types.is_decimal128(other) else kind


def _as_kind(column: Array, kind: pa.DataType) -> Array:
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    is_short = pa.types.is_decimal64(column.type) and pa.types.is_decimal128(kind)
    return column.cast(kind) if is_short else column


def _are_alike(batches: Sequence[pa.RecordBatch]) -> bool:
    """Whether their columns have the same types."""
    first = batches[0].schema
    return all(_same_types(batch.schema, first) for batch in batches[1:])


def _same_types(one: pa.Schema, other: pa.Schema) -> bool:
    """Whether columns have the same types, whatever their names. Most schemas are equal: telling that takes a hundredth of the
    time that lists of types take."""
    return bool(one.equals(other) or one.types == other.types)


def _overflowing(batches: Sequence[pa.RecordBatch]) -> list[int]:
    """Indices of the columns whose bytes would overflow 32-bit offsets."""
    # Whole buffers are no less than the parts of them that the batches show, and far sooner counted.
    if sum(batch.get_total_buffer_size() for batch in batches) <= OFFSET_LIMIT:
        return []
    types = batches[0].schema.types
    short = [i for i, t in enumerate(types) if pa.types.is_string(t) or pa.types.is_binary(t)]
    return [i for i in short if sum(batch.column(i).nbytes for batch in batches) > OFFSET_LIMIT]


def _with_large(batch: pa.RecordBatch, columns: list[int]) -> pa.RecordBatch:
    for i in columns:
        field = batch.schema.field(i)
        wide = pa.large_string() if pa.types.is_string(field.type) else pa.large_binary()
        batch = batch.set_column(i, field.with_type(wide), batch.column(i).cast(wide))
    return batch

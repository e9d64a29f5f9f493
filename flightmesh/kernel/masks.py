"""Keeps the rows of a batch where a mask is true, at no cost where it is true or false throughout.

How rows are kept is chosen by their share, as measured on batches of 108,000 rows with one to six columns (integers, decimals,
texts): of few rows `filter` of the batch finds the places once for all columns, of some `take` is up to twice as fast, of
nearly all a `filter` for each column is, as it copies runs of rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flightmesh.kernel.values import Array, Mask, pack_bits, unpack_bits

SOME = 0.15
"""From this share of the rows on they are taken by number,"""
MANY = 0.6
"""below this one;"""
NEARLY_ALL = 0.9
"""above this one each column is filtered by itself."""


def keep_rows(batch: pa.RecordBatch, mask: Mask) -> pa.RecordBatch:
    """The rows where a numpy mask is true, in order."""
    kept = int(np.count_nonzero(mask))
    if kept == batch.num_rows:
        return batch
    if kept == 0:
        return batch.slice(0, 0)
    share = kept / batch.num_rows
    if SOME <= share < MANY:
        return batch.take(pa.array(np.flatnonzero(mask)))
    return _filtered(batch, pack_bits(mask), share)


def filter_rows(batch: pa.RecordBatch, mask: Array) -> pa.RecordBatch:
    """The rows where `mask` is true (not false, not NULL), in order."""
    kept = true_count(mask)
    if kept == batch.num_rows:
        return batch
    if kept == 0:
        return batch.slice(0, 0)
    share = kept / batch.num_rows
    if SOME <= share < MANY:
        return batch.take(pa.array(np.flatnonzero(unpack_bits(mask))))
    return _filtered(batch, mask, share)


def true_count(mask: Array) -> int:
    """How many values of a boolean array are true."""
    return int(pc.sum(mask, min_count=0).as_py())


def _filtered(batch: pa.RecordBatch, mask: Array, share: float) -> pa.RecordBatch:
    if share <= NEARLY_ALL or not batch.num_columns:
        return batch.filter(mask)
    return pa.RecordBatch.from_arrays([column.filter(mask) for column in batch.columns], schema=batch.schema)

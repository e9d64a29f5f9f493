"""Keeps the rows of a batch where a mask is true, at no cost where it is true or false throughout.

How rows are kept is chosen by their share, as measured on batches of 108,000 rows with one to six columns (integers, decimals,
texts): of few rows `filter` of the batch finds the places once for all columns, of some `take` is up to twice as fast, of
nearly all a `filter` for each column is, as it copies runs of rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

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
    packed = pack_bits(mask)
    if share <= NEARLY_ALL or not batch.num_columns:
        return batch.filter(packed)
    return pa.RecordBatch.from_arrays([column.filter(packed) for column in batch.columns], schema=batch.schema)


def filter_rows(batch: pa.RecordBatch, mask: Array) -> pa.RecordBatch:
    """The rows where an Arrow mask is true (not false, not NULL), in order."""
    return keep_rows(batch, unpack_bits(mask))

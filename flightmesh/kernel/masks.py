"""Keeps the rows of a batch where a boolean array is true, at no cost where it is true or false throughout."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from flightmesh.kernel.values import Array


def filter_rows(batch: pa.RecordBatch, mask: Array) -> pa.RecordBatch:
    """The rows where `mask` is true (not false, not NULL), in order."""
    kept = true_count(mask)
    if kept == batch.num_rows:
        return batch
    if kept == 0:
        return batch.slice(0, 0)
    return batch.filter(mask)


def true_count(mask: Array) -> int:
    """How many values of a boolean array are true."""
    return int(pc.sum(mask, min_count=0).as_py())

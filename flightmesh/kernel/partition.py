"""Deals the rows of a batch to buckets by the hash of their keys.

Handed a batch, the names of its key columns and a number of buckets; hands on one batch for each bucket that got rows. What
always holds: rows with equal keys (NULL equal to NULL) go to the same bucket, whatever their batch; the order of rows is kept
within a bucket; the parts share one parent's buffers, so whoever keeps some of them copies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.kernel.hash import hash_columns
from flightmesh.kernel.values import Words

_HIGH_HALF = np.uint64(32)


def partition_batch(batch: pa.RecordBatch, key_names: Sequence[str], buckets: int) -> list[tuple[int, pa.RecordBatch]]:
    """The batch as (bucket, rows) pairs in order of bucket; buckets without rows are left out."""
    if batch.num_rows == 0:
        return []
    if buckets == 1:
        return [(0, batch)]
    numbers = bucket_numbers(hash_columns([batch.column(name) for name in key_names]), buckets)
    return split_by_bucket(batch, numbers, buckets)


def bucket_numbers(hashes: Words, buckets: int) -> npt.NDArray[np.unsignedinteger]:
    """The bucket of each hash: its high 32 bits scaled to `buckets`, in the narrowest type that holds them."""
    if not 1 <= buckets <= 1 << 16:
        raise InternalError(f"{buckets} buckets: an edge has 1 to 65536")
    scaled = ((hashes >> _HIGH_HALF) * np.uint64(buckets)) >> _HIGH_HALF
    return scaled.astype(np.uint8 if buckets <= 256 else np.uint16)


def split_by_bucket(
    batch: pa.RecordBatch, numbers: npt.NDArray[np.unsignedinteger], buckets: int
) -> list[tuple[int, pa.RecordBatch]]:
    """The rows of a batch by their bucket number: one radix sort, one take, then slices."""
    counts = np.bincount(numbers, minlength=buckets)
    full = np.flatnonzero(counts).tolist()
    if len(full) == 1:
        return [(full[0], batch)]
    order = np.argsort(numbers, kind="stable")
    dealt = batch.take(pa.array(order))
    ends = np.cumsum(counts)
    return [(bucket, dealt.slice(int(ends[bucket] - counts[bucket]), int(counts[bucket]))) for bucket in full]

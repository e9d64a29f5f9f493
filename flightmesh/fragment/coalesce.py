"""Gathers small batches into morsels, so that the fixed cost of each operator is paid once for many rows.

Handed batches of one schema in order; hands on the same rows in the same order. A batch of at least half a morsel passes as it
is when nothing waits; smaller ones wait, copied together when they make a morsel or the input ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from flightmesh.kernel.batch_size import BatchSize
from flightmesh.kernel.batches import concat_batches

ENOUGH_BYTES = 64 << 20
"""Batches wait for others until they have so many bytes together."""


def coalesce(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of `batches` in batches of about `rows` rows; empty ones are dropped."""
    waiting: list[pa.RecordBatch] = []
    waiting_rows = waiting_bytes = 0
    size = BatchSize()
    for batch in batches:
        if batch.num_rows == 0:
            continue
        if not waiting and 2 * batch.num_rows >= rows:
            yield batch
            continue
        waiting.append(batch)
        waiting_rows += batch.num_rows
        waiting_bytes += size.of(batch)
        if 2 * waiting_rows >= rows or waiting_bytes >= ENOUGH_BYTES:
            yield concat_batches(waiting, batch.schema)
            waiting, waiting_rows, waiting_bytes = [], 0, 0
    if waiting:
        yield concat_batches(waiting, waiting[0].schema)


def slices(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    """A batch cut into pieces of at most `rows` rows, sharing its buffers."""
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)

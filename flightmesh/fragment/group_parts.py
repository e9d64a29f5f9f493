"""Cuts many rows into parts that are grouped one after the other, which bounds what is held beside them.

Handed the batches, in a list that it empties; hands on one batch a part. What always holds: rows with equal keys are in one
part, and keep their order there; what a part was made of is let go before the next one is made.

Where rows come about in the order of their first key, as those do that were read from files in that order, a part is a range of
it: cutting is slicing then, and a part's keys lie close together. Elsewhere the hash of the keys decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from flightmesh.kernel.batches import drained
from flightmesh.kernel.hash import hash_columns
from flightmesh.kernel.key_ranges import clustered_ranges
from flightmesh.kernel.partition import split_by_bucket

RANGE_ROWS = 1 << 20
"""Rows of a part that is a range, about,"""
HASHED_ROWS = 1 << 22
"""and of one that is cut out by hash, which costs a third of the grouping."""
MOST_PARTS = 256

_Dealing: TypeAlias = Callable[[pa.RecordBatch], Iterable[tuple[int, pa.RecordBatch]]]


def group_parts(batches: list[pa.RecordBatch], keys: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows in one batch, or when there are many in several."""
    batches[:] = [batch for batch in batches if batch.num_rows]
    total = sum(batch.num_rows for batch in batches)
    ranges = None
    if keys and total > 2 * RANGE_ROWS:
        ranges = clustered_ranges([batch.column(keys[0]) for batch in batches], _count(total, RANGE_ROWS))
    if ranges is None:
        yield from _hashed(batches, keys)
        return
    for part in _dealt(batches, lambda batch: ranges.split(batch, batch.column(keys[0])), ranges.count):
        yield from _hashed(part, keys)


def _hashed(batches: list[pa.RecordBatch], keys: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows in one batch, or in several where they are too many for one."""
    total = sum(batch.num_rows for batch in batches)
    if total <= 2 * HASHED_ROWS or not keys:
        if batches:
            yield drained(batches, batches[0].schema)
        return
    parts = _count(total, HASHED_ROWS)
    for part in _dealt(batches, _by_hash(keys, parts), parts):
        yield drained(part, part[0].schema)


def _count(rows: int, each: int) -> int:
    """A power of two, so that parts have between half of and all of `each` rows, if they are equal."""
    return min(MOST_PARTS, 1 << (rows // each).bit_length())


def _dealt(batches: list[pa.RecordBatch], deal: _Dealing, parts: int) -> Iterator[list[pa.RecordBatch]]:
    """The rows of each part that has any."""
    dealt: list[list[pa.RecordBatch]] = [[] for _ in range(parts)]
    batches.reverse()
    while batches:
        for number, rows in deal(batches.pop()):
            dealt[number].append(rows)
    dealt.reverse()
    while dealt:
        if part := dealt.pop():
            yield part


def _by_hash(keys: list[str], parts: int) -> _Dealing:
    def deal(batch: pa.RecordBatch) -> list[tuple[int, pa.RecordBatch]]:
        hashes = hash_columns([batch.column(key) for key in keys])
        low = (hashes & np.uint64(parts - 1)).astype(np.uint8)  # the high bits chose the bucket of the exchange
        return split_by_bucket(batch, low, parts)

    return deal

"""Gathers the small slices of one producer into blocks of useful size that own their bytes.

Handed (bucket, slice) pairs of one edge; hands on blocks. What always holds: rows of a bucket keep their order; a block
never pins a parent that is more than twice its size (slices share their parent's buffers, so keeping one slice of sixteen
keeps all sixteen).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import pyarrow as pa

from flightmesh.kernel.batches import concat_batches

BLOCK_BYTES = 256 * 1024
STAGE_BYTES = 4 * 1024 * 1024
STAGE_LIMIT_BYTES = 32 * 1024 * 1024
STAGE_SECONDS = 0.1


class Staging:
    """The slices of one producer that wait to become blocks; all of them do together, so no rare bucket pins old parents."""

    def __init__(self, buckets: int) -> None:
        self._limit = min(max(STAGE_BYTES, buckets * BLOCK_BYTES), STAGE_LIMIT_BYTES)
        self._slices: dict[int, list[pa.RecordBatch]] = {}
        self._bytes = 0
        self._since = 0.0

    def add(self, parts: Sequence[tuple[int, pa.RecordBatch]]) -> list[tuple[int, pa.RecordBatch]]:
        """Stages slices; gives all blocks once enough has gathered or waited long enough, else nothing."""
        now = time.monotonic()
        if not self._slices:
            self._since = now
        for bucket, part in parts:
            self._slices.setdefault(bucket, []).append(part)
            self._bytes += part.nbytes
        if self._bytes < self._limit and now - self._since < STAGE_SECONDS:
            return []
        return self.flush()

    def flush(self) -> list[tuple[int, pa.RecordBatch]]:
        """What is staged, as one block a bucket."""
        blocks = [(bucket, owned(slices)) for bucket, slices in sorted(self._slices.items())]
        self._slices = {}
        self._bytes = 0
        return blocks


def owned(slices: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """The slices as one batch that holds about as many bytes as it shows: copied, unless a single one nearly fills its
    buffers."""
    first = slices[0]
    if len(slices) > 1:
        return concat_batches(list(slices), first.schema)
    if first.num_columns == 0 or first.get_total_buffer_size() <= 2 * first.nbytes:
        return first
    return pa.concat_batches([first, first.slice(0, 0)])

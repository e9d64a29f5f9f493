"""Gathers the small slices of one producer into blocks of useful size that own their bytes.

Handed (bucket, slice) pairs of one edge; hands on blocks. What always holds: rows of a bucket keep their order; a block
never pins a parent that is more than twice its size (slices share their parent's buffers, so keeping one slice of sixteen
keeps all sixteen); what is staged is accounted for, and is no more than the store's memory allows this producer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from flightmesh.kernel.batches import concat_batches

BLOCK_BYTES = 256 * 1024
STAGE_BYTES = 4 * 1024 * 1024
STAGE_LIMIT_BYTES = 32 * 1024 * 1024
STAGE_SECONDS = 0.1
"""Slices that have waited for so long become blocks at their producer's next batch or check."""


class StageRoom(Protocol):
    """Where a producer's staged bytes are accounted for."""

    def limit(self) -> int:
        """Bytes that it may stage now."""

    def take(self, size: int) -> bool:
        """Accounts for bytes; false when there is no room for them."""

    def give(self, size: int) -> None:
        """Gives bytes back."""


class Staging:
    """The slices of one producer that wait to become blocks; all of them do together, so no rare bucket pins old parents."""

    def __init__(self, buckets: int, room: StageRoom) -> None:
        self._useful = min(max(STAGE_BYTES, buckets * BLOCK_BYTES), STAGE_LIMIT_BYTES)
        self._room = room
        self._slices: dict[int, list[pa.RecordBatch]] = {}
        self._bytes = 0
        self._accounted = 0
        self._since = 0.0

    def piece_bytes(self) -> int:
        """The most that is staged, and that should be staged at once."""
        return min(self._useful, self._room.limit())

    def add(self, parts: Sequence[tuple[int, pa.RecordBatch]], size: int) -> list[tuple[int, pa.RecordBatch]]:
        """Stages slices, `size` bytes together; gives all blocks once enough has gathered or waited long enough, or there is no
        room to wait in; else nothing."""
        if not self._slices:
            self._since = time.monotonic()
        for bucket, part in parts:
            self._slices.setdefault(bucket, []).append(part)
        self._bytes += size
        if self._bytes >= self.piece_bytes() or self.is_due or not self._room.take(size):
            return self.flush()
        self._accounted += size
        return []

    @property
    def is_due(self) -> bool:
        """Whether something has waited long enough."""
        return bool(self._slices) and time.monotonic() - self._since >= STAGE_SECONDS

    def flush(self) -> list[tuple[int, pa.RecordBatch]]:
        """What is staged, as one block a bucket."""
        blocks = []
        for bucket in sorted(self._slices):
            blocks.append((bucket, owned(self._slices.pop(bucket))))
        self.drop()
        return blocks

    def drop(self) -> None:
        """Forgets what is staged."""
        self._slices = {}
        self._room.give(self._accounted)
        self._bytes = self._accounted = 0


def owned(slices: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """The slices as one batch that holds about as many bytes as it shows: copied, unless a single one nearly fills its
    buffers."""
    first = slices[0]
    if len(slices) > 1:
        return concat_batches(list(slices), first.schema)
    if first.num_columns == 0 or first.get_total_buffer_size() <= 2 * first.nbytes:
        return first
    return pa.concat_batches([first, first.slice(0, 0)])

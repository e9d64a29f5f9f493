"""Deals a task's output batches to the buckets of each of its output edges.

Handed the batches of one attempt; hands on blocks to the edges' logs. What always holds: batches have the edge's columns
and types (a dictionary is decoded here), and the counts are of every row dealt, whether or not somebody still reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import assert_never

import pyarrow as pa

from flightmesh.exchange.blocks import BLOCK_BYTES, Staging, owned
from flightmesh.exchange.key_digests import digest_of
from flightmesh.exchange.log import Blocked, EdgeLog
from flightmesh.exchange.memory import ProducerRoom
from flightmesh.ids import AttemptId
from flightmesh.kernel.key_set import KeyCollector
from flightmesh.kernel.part_sizes import part_sizes
from flightmesh.kernel.partition import partition_batch
from flightmesh.physical.partitioning import Broadcast, Hash, RoundRobin, Single
from flightmesh.protocol.frames import EntryKind
from flightmesh.protocol.messages import KeyDigest, Written

DEALT_ROWS = 8192
"""Round-robin cuts a batch into slices of at least so many rows."""


class Sink:
    """The output of one attempt. Used by the attempt's thread. `spilled_bytes` and `spill_ns`: what that thread has put on
    disk to make room for its rows, whosever it was, and the time that took."""

    def __init__(self, attempt: AttemptId, logs: Sequence[EdgeLog], check: Callable[[], None], blocked: Blocked) -> None:
        """`check` is called while the sink waits for credit, and may raise; `blocked` is entered meanwhile."""
        self.spilled_bytes = 0
        self.spill_ns = 0
        self._check = check
        self._blocked = blocked
        self._dealers = tuple(_Dealer(attempt, log) for log in logs)

    def put(self, batch: pa.RecordBatch) -> None:
        """Deals one batch to every edge. Raises ResourceExhausted past the memory budget and what may be spilled."""
        if batch.num_rows:
            for dealer in self._dealers:
                with self._counting(dealer):
                    dealer.put(batch)
                dealer.log.wait_for_credit(dealer.attempt, self._check, self._blocked)

    def mark(self, kind: EntryKind, batch: pa.RecordBatch) -> None:
        """Puts a watermark or a barrier behind everything dealt so far, in every bucket of every edge."""
        for dealer in self._dealers:
            with self._counting(dealer):
                dealer.flush()
                dealer.log.mark(dealer.attempt, kind, batch)

    def flush_due(self) -> None:
        """Hands on what has been staged for long enough. Costs next to nothing otherwise, so that a slow task may call it
        often."""
        for dealer in self._dealers:
            if dealer.is_due:
                with self._counting(dealer):
                    dealer.flush()

    def finish(self) -> None:
        """Hands on what is still staged."""
        for dealer in self._dealers:
            with self._counting(dealer):
                dealer.flush()
        self.close()

    def close(self) -> None:
        """Drops what is still staged. Repeating it, also after `finish`, is harmless."""
        for dealer in self._dealers:
            dealer.close()

    def written(self) -> tuple[Written, ...]:
        """Rows and bytes dealt so far."""
        return tuple(dealer.written() for dealer in self._dealers)

    def keys(self) -> tuple[KeyDigest, ...]:
        """The keys dealt so far, of the dynamic filters that the edges make."""
        return tuple(digest for dealer in self._dealers for digest in dealer.digests())

    @contextmanager
    def _counting(self, dealer: _Dealer) -> Iterator[None]:
        before = dealer.log.memory.spilled_here()
        try:
            yield
        finally:
            size, spent = dealer.log.memory.spilled_here()
            self.spilled_bytes += size - before[0]
            self.spill_ns += spent - before[1]


class _Dealer:
    """One edge of a sink."""

    def __init__(self, attempt: AttemptId, log: EdgeLog) -> None:
        self.attempt = attempt
        self.log = log
        self._edge = log.plan.edge
        self._schema = pa.schema([pa.field(f.key, f.type) for f in self._edge.fields])
        self._room = ProducerRoom(log.memory, log.job)
        self._staging = Staging(log.plan.buckets, self._room)
        self._rows = [0] * log.plan.buckets
        self._bytes = [0] * log.plan.buckets
        self._turn = attempt.task.index
        self._keys = tuple((made, KeyCollector()) for made in self._edge.filters)

    @property
    def is_due(self) -> bool:
        return self._staging.is_due

    def put(self, batch: pa.RecordBatch) -> None:
        batch = self._conform(batch)
        for made, collector in self._keys:
            collector.add(batch.column(made.column.key))
        if len(self._rows) == 1:
            self._put_piece(batch)
            return
        for piece in _pieces(batch, self._staging.piece_bytes()):
            self._put_piece(piece)

    def _put_piece(self, batch: pa.RecordBatch) -> None:
        parts = self._deal(batch)
        sizes = part_sizes([part for _, part in parts])
        for (bucket, part), size in zip(parts, sizes, strict=True):
            self._rows[bucket] += part.num_rows
            self._bytes[bucket] += size
        whole = len(parts) == 1 and parts[0][1] is batch
        if whole and (len(self._rows) == 1 or batch.nbytes >= BLOCK_BYTES):
            blocks = [*self._staging.flush(), (parts[0][0], owned([batch]))]
        else:
            blocks = self._staging.add(parts, sum(sizes))
        if blocks:
            self.log.append(self.attempt, blocks)

    def flush(self) -> None:
        blocks = self._staging.flush()
        if blocks:
            self.log.append(self.attempt, blocks)

    def close(self) -> None:
        self._staging.drop()
        self._room.close()

    def written(self) -> Written:
        return Written(self._edge.id, tuple(self._rows), tuple(self._bytes))

    def digests(self) -> Iterator[KeyDigest]:
        for made, collector in self._keys:
            yield digest_of(made.number, collector.result())

    def _deal(self, batch: pa.RecordBatch) -> list[tuple[int, pa.RecordBatch]]:
        partitioning = self._edge.partitioning
        match partitioning:
            case Hash(keys=keys, buckets=buckets):
                return partition_batch(batch, [key.key for key in keys], buckets)
            case RoundRobin(buckets=buckets):
                return self._in_turn(batch, buckets)
            case Broadcast() | Single():
                return [(0, batch)]
            case _:
                assert_never(partitioning)

    def _in_turn(self, batch: pa.RecordBatch, buckets: int) -> list[tuple[int, pa.RecordBatch]]:
        pieces = max(1, min(buckets, batch.num_rows // DEALT_ROWS))
        bounds = [i * batch.num_rows // pieces for i in range(pieces + 1)]
        dealt = []
        for first, last in pairwise(bounds):
            part = batch if pieces == 1 else batch.slice(first, last - first)
            dealt.append((self._turn % buckets, part))
            self._turn += 1
        return dealt

    def _conform(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with exactly the edge's columns, as plain values."""
        if batch.schema.equals(self._schema):
            return batch
        columns = [
            column if column.type == field.type else column.cast(field.type)
            for field, column in ((f, batch.column(f.name)) for f in self._schema)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema) if columns else batch


def _pieces(batch: pa.RecordBatch, size: int) -> Iterator[pa.RecordBatch]:
    """The batch in pieces of about twice `size` bytes: where memory is short, what is dealt at once is short too."""
    if batch.nbytes <= 4 * size:
        yield batch
        return
    step = max(1, batch.num_rows * 2 * size // batch.nbytes)
    for first in range(0, batch.num_rows, step):
        yield batch.slice(first, step)

"""Deals a task's output batches to the buckets of each of its output edges.

Handed the batches of one attempt; hands on blocks to the edges' logs. What always holds: batches have the edge's columns
and types (a dictionary is decoded here), and the counts are of every row dealt, whether or not somebody still reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import assert_never

import pyarrow as pa

from flightmesh.exchange.blocks import BLOCK_BYTES, Staging, owned
from flightmesh.exchange.log import Blocked, EdgeLog
from flightmesh.ids import AttemptId
from flightmesh.kernel.partition import partition_batch
from flightmesh.physical.partitioning import Broadcast, Hash, RoundRobin, Single
from flightmesh.protocol.messages import Written

DEALT_ROWS = 8192
"""Round-robin cuts a batch into slices of at least so many rows."""


class Sink:
    """The output of one attempt. Used by the attempt's thread."""

    def __init__(self, attempt: AttemptId, logs: Sequence[EdgeLog], check: Callable[[], None], blocked: Blocked) -> None:
        """`check` is called while the sink waits for credit, and may raise; `blocked` is entered meanwhile."""
        self._check = check
        self._blocked = blocked
        self._dealers = tuple(_Dealer(attempt, log) for log in logs)

    def put(self, batch: pa.RecordBatch) -> None:
        """Deals one batch to every edge. Raises ResourceExhausted past the memory budget."""
        if batch.num_rows:
            for dealer in self._dealers:
                dealer.put(batch)
                dealer.log.wait_for_credit(dealer.attempt, self._check, self._blocked)

    def finish(self) -> None:
        """Hands on what is still staged."""
        for dealer in self._dealers:
            dealer.finish()

    def written(self) -> tuple[Written, ...]:
        """Rows and bytes dealt so far."""
        return tuple(dealer.written() for dealer in self._dealers)


class _Dealer:
    """One edge of a sink."""

    def __init__(self, attempt: AttemptId, log: EdgeLog) -> None:
        self.attempt = attempt
        self.log = log
        self._edge = log.plan.edge
        self._schema = pa.schema([pa.field(f.key, f.type) for f in self._edge.fields])
        self._staging = Staging(log.plan.buckets)
        self._rows = [0] * log.plan.buckets
        self._bytes = [0] * log.plan.buckets
        self._turn = attempt.task.index

    def put(self, batch: pa.RecordBatch) -> None:
        batch = self._conform(batch)
        parts = self._deal(batch)
        for bucket, part in parts:
            self._rows[bucket] += part.num_rows
            self._bytes[bucket] += part.nbytes
        whole = len(parts) == 1 and parts[0][1] is batch
        if whole and (len(self._rows) == 1 or batch.nbytes >= BLOCK_BYTES):
            blocks = [*self._staging.flush(), (parts[0][0], owned([batch]))]
        else:
            blocks = self._staging.add(parts)
        if blocks:
            self.log.append(self.attempt, blocks)

    def finish(self) -> None:
        blocks = self._staging.flush()
        if blocks:
            self.log.append(self.attempt, blocks)

    def written(self) -> Written:
        return Written(self._edge.id, tuple(self._rows), tuple(self._bytes))

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

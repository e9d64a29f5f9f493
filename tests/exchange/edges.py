"""Edges, attempts, batches and readings for the tests of the exchange store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa

from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.log import EdgeLog, LogReader
from flightmesh.exchange.sink import Sink
from flightmesh.exchange.spill import SpillArea
from flightmesh.exchange.store import ExchangeStore
from flightmesh.expression.nodes import Field
from flightmesh.ids import AttemptId, ColumnId, EdgeId, JobId, StageId, TaskId
from flightmesh.physical.partitioning import Partitioning
from flightmesh.protocol.messages import EdgePlan, Retention
from flightmesh.stage.graph import Edge

K = Field(ColumnId(1), "k", pa.int64())
S = Field(ColumnId(2), "s", pa.string())
JOB = JobId(7)


def plan(partitioning: Partitioning, consumers: int = 1, reads: int = 1, credit: int | None = None, *fields: Field) -> EdgePlan:
    edge = Edge(EdgeId(0), StageId(0), StageId(1), partitioning, fields or (K,))
    return EdgePlan(edge, 2, consumers, reads, credit)


def attempt(index: int = 0, number: int = 0) -> AttemptId:
    return AttemptId(TaskId(JOB, StageId(0), index), number)


def batch(*keys: int) -> pa.RecordBatch:
    return pa.record_batch({"c1": pa.array(keys, pa.int64())})


def drained(reader: LogReader) -> list[int]:
    rows: list[int] = []
    while (got := reader.next(lambda: None, nullcontext)) is not None:
        rows.extend(got.column(0).to_pylist())
    return rows


def kept(partitioning: Partitioning, retention: Retention, consumers: int = 1, reads: int = 1) -> EdgePlan:
    edge = Edge(EdgeId(0), StageId(0), StageId(1), partitioning, (K,))
    return EdgePlan(edge, 2, consumers, reads, retention=retention)


def taken(reader: LogReader) -> list[int]:
    """The rows that are there now."""
    rows: list[int] = []
    while (entry := reader.take()) is not None:
        rows.extend(entry.batch.column(0).to_pylist())
    return rows


def spilling(directory: Path, memory: int, limit: int = 1 << 30, disk: int = 1 << 30) -> ExchangeStore:
    """A store that spills past `memory` bytes."""
    return ExchangeStore(MemoryBudget(limit), SpillArea(directory, disk), memory)


def long_batch(first: int, rows: int = 1000) -> pa.RecordBatch:
    """8 KB a thousand rows: `first` and up."""
    return batch(*range(first, first + rows))


def counting(starts: Sequence[int], rows: int = 1000) -> list[int]:
    """The rows of several long batches."""
    return [row for start in starts for row in range(start, start + rows)]


def open_log(made: EdgePlan, limit: int = 1 << 30) -> tuple[ExchangeStore, EdgeLog]:
    store = ExchangeStore(MemoryBudget(limit))
    return store, store.open(JOB, made)


def sink(log: EdgeLog, index: int = 0) -> Sink:
    return Sink(attempt(index), [log], lambda: None, nullcontext)

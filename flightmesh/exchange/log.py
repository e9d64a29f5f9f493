"""One edge of one job in the exchange store: a log of batches for each bucket, written by producers and read as it grows.

Handed blocks by producing attempts; hands them to the readers of their buckets in the order in which they came. What
always holds: a producer never waits, but on a credited edge; an entry is dropped once every reader of its bucket has had
it; after the seal only the winners' rows are given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.exchange.budget import EXCHANGE, MemoryBudget
from flightmesh.ids import AttemptId, JobId
from flightmesh.protocol.messages import EdgePlan

Blocked: TypeAlias = Callable[[], AbstractContextManager[object]]
"""Entered while a reader waits: gives up the slot."""


@dataclass(slots=True)
class _Entry:
    producer: AttemptId
    batch: pa.RecordBatch
    size: int
    reads_left: int


class EdgeLog:
    """The log of one edge. Any thread may call."""

    def __init__(self, job: JobId, plan: EdgePlan, budget: MemoryBudget) -> None:
        self.plan = plan
        self._job = job
        self._budget = budget
        self._changed = threading.Condition()
        self._buckets: list[list[_Entry | None]] = [[] for _ in range(plan.buckets)]
        self._closed = [False] * plan.buckets
        self._winners: frozenset[AttemptId] | None = None
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes in the log."""
        return self._held

    def append(self, producer: AttemptId, blocks: Sequence[tuple[int, pa.RecordBatch]]) -> None:
        """Adds (bucket, block) pairs. Raises ResourceExhausted past the memory budget."""
        sized = [(bucket, block, int(block.nbytes)) for bucket, block in blocks]
        with self._changed:
            if self._winners is not None and producer not in self._winners:
                return
            wanted = [item for item in sized if not self._closed[item[0]]]
            total = sum(size for _, _, size in wanted)
            if not wanted:
                return
            self._budget.take(self._job, EXCHANGE, total)
            self._held += total
            for bucket, block, size in wanted:
                self._buckets[bucket].append(_Entry(producer, block, size, self.plan.reads))
            self._changed.notify_all()

    def wait_for_credit(self, check: Callable[[], None], blocked: Blocked) -> None:
        """Waits, on a credited edge, while more than the credit lies unread. `check` may raise."""
        credit = self.plan.credit
        if credit is None or self._held <= credit:
            return
        with blocked(), self._changed:
            while self._held > credit:
                check()
                self._changed.wait()

    def seal(self, winners: tuple[AttemptId, ...]) -> None:
        """Says that all rows are there and whose count. Repeating it is harmless."""
        with self._changed:
            self._winners = frozenset(winners)
            self._changed.notify_all()

    def close(self, buckets: range) -> None:
        """Drops buckets that nobody reads any more, and what comes for them."""
        with self._changed:
            for bucket in buckets:
                self._closed[bucket] = True
                for entry in self._buckets[bucket]:
                    if entry is not None:
                        self._drop(entry)
                self._buckets[bucket] = []
            self._changed.notify_all()

    def wake(self) -> None:
        """Lets every waiting reader look at its `check` again."""
        with self._changed:
            self._changed.notify_all()

    def reader(self, buckets: range, producer: int | None = None) -> LogReader:
        """Reads buckets to their end; with `producer`, only what tasks of that index wrote."""
        return LogReader(self, buckets, producer)

    def _drop(self, entry: _Entry) -> None:
        self._held -= entry.size
        self._budget.give(self._job, EXCHANGE, entry.size)


class LogReader:
    """One reader's place in a log. Used by one thread. `rows` counts what it was given."""

    def __init__(self, log: EdgeLog, buckets: range, producer: int | None) -> None:
        self.rows = 0
        self._log = log
        self._buckets = buckets
        self._producer = producer
        self._places = dict.fromkeys(buckets, 0)
        self._seen: set[AttemptId] = set()

    def next(self, check: Callable[[], None], blocked: Blocked) -> pa.RecordBatch | None:
        """The next batch, waited for if need be, or None at the end. `check` may raise, and is called after each waking."""
        with self._log._changed:
            entry, ended = self._poll()
        if entry is None and not ended:
            with blocked():
                entry = self._wait(check)
        if entry is None:
            return None
        self.rows += entry.batch.num_rows
        return entry.batch

    def _wait(self, check: Callable[[], None]) -> _Entry | None:
        with self._log._changed:
            while True:
                check()
                entry, ended = self._poll()
                if entry is not None or ended:
                    return entry
                self._log._changed.wait()

    def _poll(self) -> tuple[_Entry | None, bool]:
        """The next entry that this reader wants, if it is there; whether the end is reached instead."""
        log = self._log
        for bucket in self._buckets:
            entries = log._buckets[bucket]
            place = self._places[bucket]
            while place < len(entries):
                entry = entries[place]
                place += 1
                if entry is not None and self._wants(entry):
                    self._places[bucket] = place
                    self._taken(bucket, place - 1, entry)
                    return entry, False
            self._places[bucket] = place
        if log._winners is None:
            return None, False
        lost = self._seen - log._winners
        if lost:
            raise InternalError(f"edge {log.plan.edge.id} was read from attempt {min(lost)}, which did not win")
        return None, True

    def _wants(self, entry: _Entry) -> bool:
        if self._producer is not None and entry.producer.task.index != self._producer:
            return False
        return self._log._winners is None or entry.producer in self._log._winners

    def _taken(self, bucket: int, place: int, entry: _Entry) -> None:
        self._seen.add(entry.producer)
        entry.reads_left -= 1
        if entry.reads_left <= 0:
            self._log._buckets[bucket][place] = None
            self._log._drop(entry)
            if self._log.plan.credit is not None:
                self._log._changed.notify_all()

"""One edge of one job in the exchange store: a log of entries for each bucket, written by producers and read as it grows.

Handed blocks by producing attempts; hands them to the readers of their buckets in the order in which they came. What always
holds: a producer never waits, but on a credited edge, for a reader of its rows that is there; an entry goes when the edge's
retention says so; after the seal only the winners' rows are given; no lock is held while a disk is written or read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

import pyarrow as pa

from flightmesh.exchange.entries import Bucket, Entry, Kept
from flightmesh.exchange.memory import Channel, ChannelMemory
from flightmesh.exchange.reader import LogReader
from flightmesh.exchange.spill_files import ChannelFiles
from flightmesh.ids import AttemptId, JobId
from flightmesh.protocol.frames import EntryKind
from flightmesh.protocol.messages import EdgePlan

__all__ = ["Blocked", "EdgeLog", "Entry", "LogReader"]

Blocked: TypeAlias = Callable[[], AbstractContextManager[object]]
"""Entered while a reader or a producer waits: gives up the slot."""
SPILL_TOGETHER = 1024 * 1024
"""Entries of so many bytes are written to disk at once, and gone from memory before the next."""


class EdgeLog:
    """The log of one edge. Any thread may call. `buckets`, `winners` and `version` are for its readers, under `changed`."""

    def __init__(self, job: JobId, plan: EdgePlan, memory: ChannelMemory) -> None:
        self.job = job
        self.plan = plan
        self.memory = memory
        self.changed = threading.Condition()
        self.buckets = [Bucket(plan.retention) for _ in range(plan.buckets)]
        self.winners: frozenset[AttemptId] | None = None
        self.version = 0
        self.spilled_ever = 0
        self._files: dict[int, ChannelFiles] = {}
        self._readers: list[LogReader] = []
        self._unread: dict[AttemptId, int] = {}
        self._watchers: dict[object, Callable[[], None]] = {}
        self._held = 0
        self._spilled = 0

    @property
    def held(self) -> int:
        """Bytes of the log that are in memory."""
        return self._held

    @property
    def spilled(self) -> int:
        """Bytes of the log (as they count in memory) that are on disk now."""
        return self._spilled

    @property
    def channels(self) -> int:
        """Buckets in which something lies."""
        return sum(1 for bucket in self.buckets if bucket.count)

    def append(self, producer: AttemptId, blocks: Sequence[tuple[int, pa.RecordBatch]]) -> None:
        """Adds (bucket, block) pairs. Raises ResourceExhausted past the memory budget and what may be spilled."""
        sized = [
            (bucket, Kept(producer, EntryKind.DATA, int(block.nbytes), block.schema, self.plan.reads, block))
            for bucket, block in blocks
        ]
        self._add(sized)

    def mark(self, producer: AttemptId, kind: EntryKind, batch: pa.RecordBatch) -> None:
        """Adds a watermark or a barrier to every bucket. `batch` says what it is about."""
        size = int(batch.nbytes)
        numbers = range(len(self.buckets))
        self._add([(number, Kept(producer, kind, size, batch.schema, self.plan.reads, batch)) for number in numbers])

    def wait_for_credit(self, producer: AttemptId, check: Callable[[], None], blocked: Blocked) -> None:
        """Waits, on a credited edge, while more than the credit lies unread of what this attempt wrote, and somebody reads it.
        `check` may raise."""
        if not self._is_over(producer):
            return
        with blocked(), self.changed:
            while self._is_over(producer):
                check()
                self.changed.wait()

    def seal(self, winners: tuple[AttemptId, ...]) -> None:
        """Says that all rows are there and whose count; the others' are dropped. Repeating it is harmless."""
        with self.changed:
            self.winners = frozenset(winners)
            for bucket in self.buckets:
                self._let_go(bucket, bucket.drop_losers(self.winners))
        self.wake()

    def close(self, buckets: range) -> None:
        """Drops buckets that nobody reads any more, and what comes for them."""
        with self.changed:
            for number in buckets:
                bucket = self.buckets[number]
                bucket.is_closed = True
                self._let_go(bucket, bucket.drop_all())
        self.wake()

    def wake(self) -> None:
        """Lets every waiting reader look at its `check` again, and every watcher know."""
        with self.changed:
            self.version += 1
            self.changed.notify_all()
            watchers = tuple(self._watchers.values())
        for watcher in watchers:
            watcher()

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Has `callback` called after every change, by whatever thread made it and under no lock; what is given ends that."""
        key = object()
        with self.changed:
            self._watchers[key] = callback

        def unwatch() -> None:
            with self.changed:
                self._watchers.pop(key, None)

        return unwatch

    def reader(self, buckets: range, producer: int | None = None) -> LogReader:
        """Reads buckets to their end; with `producer`, only what tasks of that index wrote."""
        reader = LogReader(self, buckets, producer)
        with self.changed:
            self._readers.append(reader)
        return reader

    def forget_reader(self, reader: LogReader) -> None:
        """A reader that takes nothing more: `LogReader.close`."""
        with self.changed:
            self._readers = [other for other in self._readers if other is not reader]
            self.changed.notify_all()

    def taken(self, bucket: Bucket, number: int, entry: Kept) -> None:
        """A reader has had an entry. Called by it, under `changed`."""
        entry.reads_left -= 1
        if entry.reads_left == 0:
            self._count_unread(entry.producer, -entry.size)
        self._let_go(bucket, bucket.freed_by(number, entry))

    def channels_in_memory(self) -> list[Channel]:
        """The channels that could be spilled now."""
        return [
            Channel(number, bucket.memory, bucket.taken_at)
            for number, bucket in enumerate(self.buckets)
            if bucket.memory and not bucket.is_spilling
        ]

    def spill(self, bucket: int) -> None:
        """Puts what a bucket holds in memory on disk, oldest first, unless another thread does. Readers find each entry where
        it is."""
        spilled = self.buckets[bucket]
        with self.changed:
            if spilled.is_spilling:
                return
            spilled.is_spilling = True
            waiting = [entry for entry in spilled.live() if entry.batch is not None]
        try:
            for group in _groups(waiting):
                self._spill_group(bucket, group)
        finally:
            spilled.is_spilling = False

    def _spill_group(self, number: int, entries: list[Kept]) -> None:
        found = [(entry, entry.batch) for entry in entries]
        there = [(entry, batch) for entry, batch in found if batch is not None and not entry.is_dropped]
        if not there:
            return
        places = self._files_of(number).write([batch for _, batch in there])
        moved = 0
        with self.changed:
            for (entry, _), place in zip(there, places, strict=True):
                if entry.is_dropped:
                    place.let_go()
                    continue
                entry.batch, entry.place = None, place
                moved += entry.size
            self.buckets[number].memory -= moved
            self._held -= moved
            self._spilled += moved
            self.spilled_ever += moved
        self.memory.give(self.job, moved)
        self.memory.count_spilled(moved)

    def _files_of(self, number: int) -> ChannelFiles:
        with self.changed:
            if number not in self._files:
                assert self.memory.spill is not None
                self._files[number] = self.memory.spill.channel(f"{self.job}-{self.plan.edge.id}-{number}")
            return self._files[number]

    def _add(self, entries: Sequence[tuple[int, Kept]]) -> None:
        """Finds room for entries and adds them: all in one turn if memory has room for all, else one by one."""
        wanted = [(number, entry) for number, entry in entries if self._wants(number, entry)]
        if not wanted:
            return
        if self.memory.take(self.job, sum(entry.size for _, entry in wanted)):
            self._enter(wanted)
            return
        for number, entry in wanted:
            if not self.memory.take(self.job, entry.size):
                batch, entry.batch = entry.batch, None
                assert batch is not None
                with self.memory.spilling():
                    entry.place = self._files_of(number).write([batch])[0]
                self.spilled_ever += entry.size
                self.memory.count_spilled(entry.size)
            self._enter([(number, entry)])

    def _enter(self, entries: Sequence[tuple[int, Kept]]) -> None:
        with self.changed:
            for number, entry in entries:
                bucket = self.buckets[number]
                self._count(bucket, entry, entry.size)
                self._count_unread(entry.producer, entry.size)
                if self._wants(number, entry):
                    bucket.append(entry)
                else:
                    self._let_go(bucket, [entry])
        self.wake()

    def _wants(self, number: int, entry: Kept) -> bool:
        return not self.buckets[number].is_closed and (self.winners is None or entry.producer in self.winners)

    def _let_go(self, bucket: Bucket, entries: Iterable[Kept]) -> None:
        """What dropped entries held."""
        freed = 0
        for entry in entries:
            self._count(bucket, entry, -entry.size)
            if entry.reads_left > 0:
                self._count_unread(entry.producer, -entry.size)
            if entry.place is None:
                freed += entry.size
            else:
                entry.place.let_go()
        if freed:
            self.memory.give(self.job, freed)

    def _count(self, bucket: Bucket, entry: Kept, size: int) -> None:
        if entry.place is None:
            bucket.memory += size
            self._held += size
        else:
            self._spilled += size

    def _count_unread(self, producer: AttemptId, size: int) -> None:
        if self.plan.credit is not None:
            self._unread[producer] = self._unread.get(producer, 0) + size
            if size < 0:
                self.changed.notify_all()

    def _is_over(self, producer: AttemptId) -> bool:
        credit = self.plan.credit
        if credit is None or self._unread.get(producer, 0) <= credit:
            return False
        return any(reader.producer in (None, producer.task.index) for reader in self._readers)


def _groups(entries: Sequence[Kept]) -> Iterable[list[Kept]]:
    """The entries in order, in groups of about `SPILL_TOGETHER` bytes."""
    group: list[Kept] = []
    size = 0
    for entry in entries:
        group.append(entry)
        size += entry.size
        if size >= SPILL_TOGETHER:
            yield group
            group, size = [], 0
    if group:
        yield group

"""What lies in a bucket of an edge's log: entries by number, in memory or on disk, and which of them a reading lets go.

Handed entries in the order in which they came; hands them on by their number. What always holds: numbers never change, whatever
is dropped before them; what is dropped takes no room for long, so an endless edge stays as small as what is kept of it.
"""

from __future__ import annotations

import math

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.exchange.spill_files import Place
from flightmesh.ids import AttemptId
from flightmesh.protocol.frames import EntryKind
from flightmesh.protocol.messages import Retention

TRIM = 64
"""So many dropped entries at a list's beginning are cut off together."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a reader is given: whose rows, and what kind of entry. `size` is what it counted for in the store, in bytes. The
    batch of a WATERMARK or BARRIER is whatever its producer gave with it."""

    producer: AttemptId
    batch: pa.RecordBatch
    kind: EntryKind
    size: int


@dataclass(slots=True)
class Kept:
    """An entry in the log: `batch` while it is in memory, `place` once it is on disk."""

    producer: AttemptId
    kind: EntryKind
    size: int
    schema: pa.Schema
    reads_left: int
    batch: pa.RecordBatch | None
    place: Place | None = None
    is_dropped: bool = False


class Bucket:
    """The entries of one bucket. Its log's lock guards it. `count`: entries there; `memory`: bytes of them in memory."""

    def __init__(self, retention: Retention) -> None:
        self.count = 0
        self.memory = 0
        self.taken_at = -math.inf
        self.is_closed = False
        self.is_spilling = False
        self._retention = retention
        self._entries: list[Kept | None] = []
        self._first = 0

    @property
    def end(self) -> int:
        """The number that the next entry will have."""
        return self._first + len(self._entries)

    @property
    def first(self) -> int:
        """The lowest number that may still be there."""
        return self._first

    def append(self, entry: Kept) -> None:
        """Adds an entry at the end."""
        self._entries.append(entry)
        self.count += 1

    def at(self, number: int) -> Kept | None:
        """The entry of a number between `first` and `end`; None when it was dropped."""
        return self._entries[number - self._first]

    def live(self) -> list[Kept]:
        """All entries that are there."""
        return [entry for entry in self._entries if entry is not None]

    def freed_by(self, number: int, entry: Kept) -> list[Kept]:
        """Takes out what a reading of `entry`, already counted, lets go by the bucket's retention."""
        if entry.reads_left > 0 or self._retention is Retention.JOB:
            return []
        if self._retention is Retention.READ:
            return self._drop([number])
        return self._drop_epoch(entry, number) if entry.kind is EntryKind.BARRIER else []

    def drop_losers(self, winners: frozenset[AttemptId]) -> list[Kept]:
        """Takes out what other attempts wrote."""
        return self._drop(
            [n for n in range(self._first, self.end) if (e := self.at(n)) is not None and e.producer not in winners]
        )

    def drop_all(self) -> list[Kept]:
        """Takes out everything."""
        return self._drop(list(range(self._first, self.end)))

    def _drop_epoch(self, barrier: Kept, number: int) -> list[Kept]:
        """The barrier and what its producer wrote before it: the barriers of the others have not been read by all."""
        numbers = range(self._first, number + 1)
        return self._drop([n for n in numbers if (e := self.at(n)) is not None and e.producer == barrier.producer])

    def _drop(self, numbers: list[int]) -> list[Kept]:
        dropped = []
        for number in numbers:
            entry = self.at(number)
            if entry is not None:
                entry.is_dropped = True
                self._entries[number - self._first] = None
                dropped.append(entry)
        self.count -= len(dropped)
        self._trim()
        return dropped

    def _trim(self) -> None:
        gone = 0
        while gone < len(self._entries) and self._entries[gone] is None:
            gone += 1
        if gone >= TRIM or gone == len(self._entries):
            del self._entries[:gone]
            self._first += gone

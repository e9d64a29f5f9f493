"""The share of the memory budget that an exchange store's channels may hold, and the making of room in it.

Handed sizes of blocks and of slices being staged; hands on whether they fit. What always holds: what is in memory never
exceeds the share, where there is a disk to spill to; who else needs the budget has channels spilled too; room is made by the
thread that needs it, from the largest channels first, those that nobody is reading before the others, and under no lock that
another edge needs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from flightmesh.dataclass import dataclass
from flightmesh.exchange.budget import EXCHANGE, MemoryBudget
from flightmesh.exchange.spill import SpillArea
from flightmesh.ids import JobId

BUSY_SECONDS = 0.05
"""A channel of which something was taken so lately is spilled only when no other is left."""
ROOM = 8
"""Room is made until an eighth of the share is free."""
STAGED_PART = 4
"""A quarter of the share is for staging, dealt to the producers."""
STAGE_LEAST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Channel:
    """What a log holds of one bucket in memory."""

    bucket: int
    memory: int
    taken_at: float


class Spillable(Protocol):
    """A log that can put its channels on disk."""

    def channels_in_memory(self) -> list[Channel]:
        """Its channels that hold something in memory and are not being spilled."""

    def spill(self, bucket: int) -> None:
        """Puts one channel on disk, unless another thread does already."""


class ChannelMemory:
    """The share, and who holds how much of it. Any thread may call."""

    def __init__(self, budget: MemoryBudget, share: int, spill: SpillArea | None) -> None:
        self.budget = budget
        self.share = share
        self.spill = spill
        self.spilled_ever = 0
        self._here = threading.local()
        self._jobs: dict[JobId, int] = {}
        self._used = 0
        self._producers: dict[JobId, set[object]] = {}
        self._logs: tuple[Spillable, ...] = ()
        self._lock = threading.Lock()
        if spill is not None:
            budget.make_room = self._make_room

    @property
    def used(self) -> int:
        """Bytes of channels and staged slices in memory."""
        return self._used

    def take(self, job: JobId, size: int) -> bool:
        """Accounts for bytes, and spills others if need be. False: they do not fit, so they are to go to disk themselves.
        Raises ResourceExhausted when that cannot be: there is no disk, or too little of it."""
        if self.spill is None:
            self.budget.take(job, EXCHANGE, size)
            self._count(job, size)
            return True
        if self._try(job, size):
            return True
        self._make_room(size)
        return self._try(job, size)

    def give(self, job: JobId, size: int) -> None:
        """Gives bytes back. What a released job gives late is no news."""
        with self._lock:
            size = min(size, self._jobs.get(job, 0))
            self._used -= size
            self._jobs[job] = self._jobs.get(job, 0) - size
            if not self._jobs[job]:
                del self._jobs[job]
        if size:
            self.budget.give(job, EXCHANGE, size)

    def forget(self, job: JobId) -> None:
        """Gives back what is left of a job."""
        with self._lock:
            left = self._jobs.get(job, 0)
            self._producers.pop(job, None)
        self.give(job, left)

    def count_spilled(self, size: int) -> None:
        """Bytes that this thread has put on disk."""
        with self._lock:
            self.spilled_ever += size
        spilled, spent = self.spilled_here()
        self._here.figures = spilled + size, spent

    def spilled_here(self) -> tuple[int, int]:
        """Bytes that the calling thread has put on disk since ever, and nanoseconds that it took."""
        found: tuple[int, int] = getattr(self._here, "figures", (0, 0))
        return found

    @contextmanager
    def spilling(self) -> Iterator[None]:
        """Times what the calling thread does to spill."""
        started = time.perf_counter_ns()
        try:
            yield
        finally:
            spilled, spent = self.spilled_here()
            self._here.figures = spilled, spent + time.perf_counter_ns() - started

    def producer_came(self, job: JobId, producer: object) -> None:
        """One more that stages."""
        with self._lock:
            self._producers.setdefault(job, set()).add(producer)

    def producer_left(self, job: JobId, producer: object) -> None:
        """Leaves more for the others."""
        with self._lock:
            staging = self._producers.get(job, set())
            staging.discard(producer)
            if not staging:
                self._producers.pop(job, None)

    def stage_limit(self) -> int:
        """Bytes that each producer may stage now: the more producers there are, the less."""
        with self._lock:
            producers = sum(map(len, self._producers.values()))
        return max(STAGE_LEAST_BYTES, self.share // (STAGED_PART * max(1, producers)))

    def add_log(self, log: Spillable) -> None:
        """A log that may be asked to spill."""
        with self._lock:
            self._logs = (*self._logs, log)

    def drop_logs(self, logs: Iterable[Spillable]) -> None:
        """Logs that are no more."""
        gone = {id(log) for log in logs}
        with self._lock:
            self._logs = tuple(log for log in self._logs if id(log) not in gone)

    def _try(self, job: JobId, size: int) -> bool:
        with self._lock:
            if self._used + size > self.share or not self.budget.try_take(job, EXCHANGE, size):
                return False
            self._add(job, size)
            return True

    def _count(self, job: JobId, size: int) -> None:
        with self._lock:
            self._add(job, size)

    def _add(self, job: JobId, size: int) -> None:
        self._used += size
        self._jobs[job] = self._jobs.get(job, 0) + size

    def _make_room(self, size: int) -> None:
        """Spills channels until `size` more bytes would fit the share and the budget and leave an eighth of the share free."""
        missing = max(size + self._used - self.share, size + self.budget.needed - self.budget.limit)
        wanted = missing + self.share // ROOM
        busy_since = time.monotonic() - BUSY_SECONDS
        found = [(log, channel) for log in self._logs for channel in log.channels_in_memory()]
        found.sort(key=lambda item: (item[1].taken_at > busy_since, -item[1].memory))
        with self.spilling():
            for log, channel in found:
                if wanted <= 0:
                    return
                log.spill(channel.bucket)
                wanted -= channel.memory


class ProducerRoom:
    """Where one producer's staged slices are accounted for. It counts as a producer from its first slice until `close`."""

    def __init__(self, memory: ChannelMemory, job: JobId) -> None:
        self._memory = memory
        self._job = job

    def limit(self) -> int:
        """Bytes that it may stage now."""
        return self._memory.stage_limit()

    def take(self, size: int) -> bool:
        """Accounts for bytes; false when there is no room for them."""
        self._memory.producer_came(self._job, self)
        return self._memory.take(self._job, size)

    def give(self, size: int) -> None:
        """Gives bytes back."""
        if size:
            self._memory.give(self._job, size)

    def close(self) -> None:
        """Counts no longer."""
        self._memory.producer_left(self._job, self)

"""The memory budget of a process, in bytes: who holds how much, and a clear error when there is no more.

Handed reservations of a job for a purpose; hands on nothing but their success. What always holds: what is in use never
exceeds the limit, and the accounts add up to what is in use. Any thread may call.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from flightmesh.errors import ResourceExhausted
from flightmesh.ids import JobId

EXCHANGE = "rows in the exchange store"
NO_JOB = JobId(0)
"""Whose account it is that outlives jobs: results that are gathered, tables in memory. Jobs count from 1."""
RAISE_OR_KEEP_FEWER = "raise the budget (connect(memory=...), or `memory` in the configuration), or keep fewer rows at once"


class MemoryBudget:
    """A limit and the accounts under it, by job and purpose."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.reclaim: Callable[[int], None] | None = None
        """Called under no lock where so many bytes do not fit: what is kept only to save work may go now."""
        self.reclaimable: Callable[[], int] = int
        """Bytes that `reclaim` could give back now."""
        self.make_room: Callable[[int], None] | None = None
        """Called under no lock before so many bytes are refused: what can be put elsewhere (on disk) may go now."""
        self._used = 0
        self._accounts: dict[tuple[JobId, str], int] = {}
        self._late: deque[tuple[JobId, str, int]] = deque()
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes in use."""
        with self._lock:
            self._settle()
            return self._used

    @property
    def needed(self) -> int:
        """Bytes in use without those that are kept only to save work."""
        return max(0, self.used - self.reclaimable())

    def take(self, job: JobId, purpose: str, size: int, hint: str = RAISE_OR_KEEP_FEWER) -> None:
        """Accounts for `size` more bytes. Raises ResourceExhausted past the limit, and then accounts for nothing."""
        if self.try_take(job, purpose, size):
            return
        if self.make_room is not None:
            self.make_room(size)
            if self.try_take(job, purpose, size):
                return
        with self._lock:
            raise self._exhausted(purpose, size, hint)

    def try_take(self, job: JobId, purpose: str, size: int) -> bool:
        """As `take`, but puts nothing elsewhere; false where that raises."""
        if self.take_free(job, purpose, size):
            return True
        if self.reclaim is None:
            return False
        self.reclaim(size)
        return self.take_free(job, purpose, size)

    def take_free(self, job: JobId, purpose: str, size: int) -> bool:
        """As `take` of what nobody uses or keeps; false where there is too little of that."""
        with self._lock:
            self._settle()
            if self._used + size > self.limit:
                return False
            self._used += size
            self._accounts[job, purpose] = self._accounts.get((job, purpose), 0) + size
            return True

    def give(self, job: JobId, purpose: str, size: int) -> None:
        """Gives bytes of one account back."""
        with self._lock:
            self._give(job, purpose, size)

    def give_late(self, job: JobId, purpose: str, size: int) -> None:
        """As `give`, before the next look at what is in use. Takes no lock: for finalizers, which may run in the middle of any
        method here."""
        self._late.append((job, purpose, size))

    def forget(self, job: JobId) -> None:
        """Gives back whatever is still accounted to a job."""
        with self._lock:
            for key in [key for key in self._accounts if key[0] == job]:
                self._used -= self._accounts.pop(key)

    def accounts(self) -> dict[tuple[JobId, str], int]:
        """Bytes in use by job and purpose; empty when nothing runs."""
        with self._lock:
            self._settle()
            return dict(self._accounts)

    def _give(self, job: JobId, purpose: str, size: int) -> None:
        """What a forgotten job gives back late has been given back."""
        held = self._accounts.get((job, purpose), 0)
        size = min(size, held)
        self._used -= size
        if size < held:
            self._accounts[job, purpose] = held - size
        else:
            self._accounts.pop((job, purpose), None)

    def _settle(self) -> None:
        while self._late:
            self._give(*self._late.popleft())

    def _exhausted(self, purpose: str, size: int, hint: str) -> ResourceExhausted:
        holders: dict[str, int] = {}
        for (_, held_for), held in self._accounts.items():
            holders[held_for] = holders.get(held_for, 0) + held
        largest = sorted(holders.items(), key=lambda item: -item[1])[:4]
        held_by = ", ".join(f"{name} {format_bytes(held)}" for name, held in largest) or "nothing"
        return ResourceExhausted(
            f"out of memory: {purpose} needs {format_bytes(size)} more, and {format_bytes(self._used)} of the budget of "
            f"{format_bytes(self.limit)} are in use (held by: {held_by})",
            hint=hint,
        )


def format_bytes(size: float) -> str:
    """A size as people read it: `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"

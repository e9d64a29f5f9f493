"""The dynamic filters of jobs whose keys came from other stages, as this process holds them.

Handed digests by the event loop; hands on filters to the tasks' threads. What always holds: who follows a job is called after
each filter that comes; everything of a job is dropped together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from flightmesh.exchange.key_digests import key_set_of
from flightmesh.ids import JobId
from flightmesh.kernel.key_filter import KeyFilter
from flightmesh.protocol.messages import KeyDigest

Called = Callable[[], None]


class HeldKeys:
    """Filters by job and number. Any thread may call."""

    def __init__(self) -> None:
        self._filters: dict[JobId, dict[int, KeyFilter]] = {}
        self._followers: dict[JobId, list[Called]] = {}
        self._lock = threading.Lock()

    def hold(self, job: JobId, keys: KeyDigest) -> None:
        """Takes in the keys of a filter."""
        made = key_set_of(keys).key_filter()
        with self._lock:
            self._filters.setdefault(job, {})[keys.filter] = made
            followers = list(self._followers.get(job, ()))
        for called in followers:
            called()

    def key_filter(self, job: JobId, number: int) -> KeyFilter | None:
        """A filter, if its keys have come."""
        return self._filters.get(job, {}).get(number)

    def has(self, job: JobId, numbers: Collection[int]) -> bool:
        """Whether the keys of all these have come."""
        known = self._filters.get(job, {})
        return all(number in known for number in numbers)

    @contextmanager
    def following(self, job: JobId, called: Called) -> Iterator[None]:
        """Has `called` called whenever keys of the job come."""
        with self._lock:
            self._followers.setdefault(job, []).append(called)
        try:
            yield
        finally:
            with self._lock:
                left = self._followers.get(job, [])
                left.remove(called)
                if not left:
                    self._followers.pop(job, None)

    def drop(self, job: JobId) -> None:
        """Forgets a job's filters."""
        with self._lock:
            self._filters.pop(job, None)

    @property
    def jobs(self) -> frozenset[JobId]:
        """Jobs of which there are keys here."""
        return frozenset(self._filters)

"""Objects that the tasks of a job share on one worker: join builds.

Handed a job and a key; hands on the one slot for it, entered by one task at a time. What always holds: a waiting task
holds no slot permit; everything of a job is dropped together.
"""

from __future__ import annotations

import threading
from dataclasses import field

from flightmesh.dataclass import dataclass
from flightmesh.fragment.task import SharedSlot
from flightmesh.ids import JobId


@dataclass(slots=True)
class SharedEntry:
    """One shared object and the lock that its users take in turn. `unread`: who was to fill it was stopped meanwhile, because
    nobody reads what its stage makes, and has taken rows that are not there for another."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    slot: SharedSlot = field(default_factory=SharedSlot)
    unread: bool = False


class SharedObjects:
    """Shared objects by job and key. Any thread may call."""

    def __init__(self) -> None:
        self._entries: dict[JobId, dict[object, SharedEntry]] = {}
        self._lock = threading.Lock()

    def entry(self, job: JobId, key: object) -> SharedEntry:
        """The entry under `key`, made if it is not there."""
        with self._lock:
            return self._entries.setdefault(job, {}).setdefault(key, SharedEntry())

    def drop(self, job: JobId) -> None:
        """Forgets a job's objects."""
        with self._lock:
            self._entries.pop(job, None)

    @property
    def jobs(self) -> frozenset[JobId]:
        """Jobs that share something here."""
        return frozenset(self._entries)

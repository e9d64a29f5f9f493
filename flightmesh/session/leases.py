"""Keeps a table in memory for as long as a result may still read it, though its name has gone or means another table.

Handed results with the keys they read, and keys whose name has gone; has a table's rows dropped when both are true: no name, no
reader. What always holds: a table is dropped once. `drop` may be called while a finalizer runs, so it must not wait.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable


class Leases:
    """Readers of tables in memory, counted by key. Any thread may call."""

    def __init__(self, drop: Callable[[str], None]) -> None:
        self._drop = drop
        self._readers: dict[str, int] = {}
        self._retired: set[str] = set()
        self._lock = threading.RLock()  # a finalizer may run in the middle of any of these methods

    def hold(self, reader: object, keys: frozenset[str]) -> None:
        """Keeps the tables under `keys` until `reader` is collected."""
        if not keys:
            return
        with self._lock:
            for key in keys:
                self._readers[key] = self._readers.get(key, 0) + 1
        weakref.finalize(reader, self._let_go, keys)

    def retire(self, key: str) -> None:
        """Drops a table, now or when its last reader is collected."""
        with self._lock:
            self._retired.add(key)
            self._drop_if_unread(key)

    def _let_go(self, keys: frozenset[str]) -> None:
        with self._lock:
            for key in keys:
                self._readers[key] -= 1
                self._drop_if_unread(key)

    def _drop_if_unread(self, key: str) -> None:
        if key in self._retired and not self._readers.get(key):
            self._retired.discard(key)
            self._readers.pop(key, None)
            self._drop(key)

"""Slots: permits to compute. A task holds one while it computes and gives it up while it waits.

What always holds: no more permits are out than there are slots, and whoever has waited longest gets the next one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

TURN_SECONDS = 0.02
"""How long a task computes before it lets a waiting one go first,"""
FIRST_TURN_SECONDS = 0.002
"""but at first no longer than this: first rows get through a chain of stages soon, and a LIMIT at its end can stop them all;"""
GROWTH = 1.5
"""each turn is so many times as long as the one before."""


class Slots:
    """A first-come first-served semaphore."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = count
        self._waiting: deque[threading.Lock] = deque()
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """Takes a slot, waiting for one if need be."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def release(self) -> None:
        """Gives a slot back, or to who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    @property
    def contended(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        return self._free


class SlotHold:
    """One task's hold on a slot. Used by the task's thread."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._since = 0.0
        self._turn = FIRST_TURN_SECONDS

    def __enter__(self) -> SlotHold:
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._slots.release()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Lets others compute while the block waits for something."""
        self._slots.release()
        try:
            yield
        finally:
            self._take()

    def take_turns(self) -> None:
        """Lets a waiting task go first, if this one has had its turn."""
        if self._slots.contended and time.monotonic() - self._since >= self._turn:
            self._turn = min(TURN_SECONDS, GROWTH * self._turn)
            self._slots.release()
            self._take()

    def _take(self) -> None:
        self._slots.acquire()
        self._since = time.monotonic()

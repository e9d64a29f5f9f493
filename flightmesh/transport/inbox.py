"""Numbered messages of one peer, each taken once.

Handed batches as they come, also twice; hands on what is new, in order. What always holds: a message is delivered once, in the
order of its number, also when a batch and its repetition are answered by two threads at the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from flightmesh.errors import InvalidMessage

M = TypeVar("M")


class Inbox(Generic[M]):
    """What has been heard of one incarnation of one peer. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0

    def receive(self, first: int, messages: Sequence[M], deliver: Callable[[M], None]) -> int:
        """Delivers each message that is new; returns the number of the next one. `deliver` is called with a lock held, so
        that two batches cannot overtake each other: it only posts."""
        with self._lock:
            for message in self._fresh(first, messages):
                deliver(message)
                self._next += 1
            return self._next

    def accept(self, first: int, messages: Sequence[M]) -> tuple[tuple[M, ...], int]:
        """The new messages, and the number of the next one. For a caller that is the only one: else `receive`."""
        with self._lock:
            fresh = self._fresh(first, messages)
            self._next += len(fresh)
            return fresh, self._next

    def _fresh(self, first: int, messages: Sequence[M]) -> tuple[M, ...]:
        if first < 0 or first > self._next:
            raise InvalidMessage(f"message {first} came, but {self._next} is the next one")
        return tuple(messages[self._next - first :])

"""A bell: how a thread that waits for several things at once hears that one of them has changed.

Handed rings by anybody; hands on a waking. What always holds: who notes the number of rings, looks at everything, and then
waits for a ring past that number misses none. Ringing takes no lock but the bell's own, so it may be done under any other.
"""

from __future__ import annotations

import threading


class Bell:
    """Counts its rings. Any thread may ring and wait."""

    def __init__(self) -> None:
        self.rings = 0
        self._changed = threading.Condition(threading.Lock())

    def ring(self) -> None:
        """Wakes whoever waits."""
        with self._changed:
            self.rings += 1
            self._changed.notify_all()

    def wait_past(self, heard: int, seconds: float | None = None) -> None:
        """Waits for a ring after the `heard`-th, or for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self.rings != heard, seconds)

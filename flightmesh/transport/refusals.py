"""What a listener logs of calls that it refused.

Handed who called and why he was refused; hands on lines of the log. What always holds: whoever is refused is logged while few
are; a flood makes some lines a second, and how many more there were.
"""

from __future__ import annotations

import logging
import threading
import time

LOG = logging.getLogger(__name__)
MOST_LINES = 20
"""In a second."""


class Refusals:
    """Of one listener. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._second = 0
        self._said = 0
        self._unsaid = 0

    def note(self, who: str, why: str) -> None:
        """Somebody was refused."""
        with self._lock:
            unsaid = self._turn(int(time.monotonic()))
            says = self._said < MOST_LINES
            self._said += says
            self._unsaid += not says
        if unsaid:
            LOG.warning("refused %d more calls", unsaid)
        if says:
            LOG.warning("refused a call of %s: %s", who, why)

    def _turn(self, second: int) -> int:
        """A second begins; how many were not logged before it."""
        if second == self._second:
            return 0
        unsaid, self._second, self._said, self._unsaid = self._unsaid, second, 0, 0
        return unsaid

"""When how much of a task's output had gone out.

Handed row counts as they go; hands on the moment when a share of the whole was reached. What always holds: a bounded number of
marks is kept, so a moment may be late by a small share of the whole, never early.
"""

from __future__ import annotations

import time

MOST_MARKS = 128


class Milestones:
    """Rows of one task by time. For one thread that notes; any may ask."""

    def __init__(self) -> None:
        self._rows = 0
        self._marks: list[tuple[int, float]] = []

    def note(self, rows: int) -> None:
        """So many more have gone out, now."""
        self._rows += rows
        if rows:
            marks = self._marks[1::2] if len(self._marks) == MOST_MARKS else self._marks
            self._marks = [*marks, (self._rows, time.time())]

    def at(self, share: float) -> int:
        """When `share` of the rows noted so far had gone out, in microseconds since the epoch; 0 if there are none."""
        marks, wanted = self._marks, share * self._rows
        return next((int(moment * 1e6) for rows, moment in marks if rows >= wanted), 0)

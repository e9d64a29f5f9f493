"""The splits of one scan on their way from the driver to the attempt that reads them.

Handed grants by the event loop; hands on one split at a time to the attempt's thread. What always holds: requests are numbered
from 0 and there is at most one that was not answered; an answer counts once; after the one that says there are none left,
nothing is asked. The first request is made by placing the task.
"""

from __future__ import annotations

from collections import deque

from flightmesh.catalog.table import Split

SHORT_ROWS = 256 * 1024
"""A split of at most so many rows is read in little more time than a round trip takes: who reads the last one that it was
granted asks for more meanwhile."""


class SplitDraws:
    """Not locked: its owner does that. `short`: rows of a split while which more is asked for; 0 where a scan may soon have
    enough."""

    def __init__(self, short: int = SHORT_ROWS) -> None:
        self._short = short
        self._ahead: deque[Split] = deque()
        self._asked = 1
        self._answered = 0
        self._granted = 0
        self._is_short = False
        self._no_more = False

    @property
    def is_ready(self) -> bool:
        """Whether `take` has an answer: a split, or that there are none left."""
        return bool(self._ahead) or self._no_more

    def take(self) -> Split | None:
        """The next split, or None when there are none left."""
        split = self._ahead.popleft() if self._ahead else None
        self._is_short = split is not None and split.rows is not None and split.rows <= self._short
        return split

    def request(self) -> int | None:
        """The number of the request that is due now, which counts as made; None when none is. One is due when there is nothing
        to read, and ahead of that while the driver grants several at once, or what is read is short: a round trip would only be
        time lost. Of the last long ones nobody takes more than it reads."""
        if self._ahead or self._no_more or self._asked > self._answered:
            return None
        self._asked += 1
        return self._asked - 1

    @property
    def asks_ahead(self) -> bool:
        """Whether a request is worth making while the last split of a grant is still read."""
        return self._granted > 1 or self._is_short

    def hand(self, number: int, splits: tuple[Split, ...]) -> None:
        """The answer to a request. One that comes again is dropped; that there are none left may come unasked."""
        if number != self._answered or (splits and number >= self._asked):
            return
        self._answered += 1
        self._granted = len(splits)
        self._ahead.extend(splits)
        self._no_more = not splits

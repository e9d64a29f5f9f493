"""Simulated time: what is to happen, in the order of its time. One source of chance for everything, and a trace of it all.

What always holds: nothing here looks at a clock; two agendas of one seed that are told the same run alike to the last event.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable

Action = Callable[[], None]


class Agenda:
    """Time, chance and trace of one simulation."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.events = 0
        self._heap: list[tuple[float, int, Action]] = []
        self._number = 0
        self._trace = hashlib.sha256()

    def after(self, seconds: float, action: Action) -> None:
        """Has something happen later."""
        self.at(self.now + seconds, action)

    def at(self, time: float, action: Action) -> None:
        """Has something happen at a time; what is told later happens later, at the same time too."""
        self._number += 1
        heapq.heappush(self._heap, (time, self._number, action))

    def soon(self, action: Action, most: float = 0.02) -> None:
        """Has something happen in a moment."""
        self.after(self.chance.uniform(0.0, most), action)

    def note(self, *words: object) -> None:
        """Puts a line into the trace."""
        self._trace.update(f"{self.now:.6f} {' '.join(map(str, words))}\n".encode())

    @property
    def trace(self) -> str:
        """A hash of everything noted."""
        return self._trace.hexdigest()

    def run(self, is_over: Callable[[], bool], until: float) -> bool:
        """Lets things happen until all is over; false when there is nothing left to happen, or it is too late."""
        while not is_over():
            if not self._heap or self._heap[0][0] > until:
                return False
            self.now, _, action = heapq.heappop(self._heap)
            self.events += 1
            action()
        return True


class Bell:
    """Rings its listener once for any number of pulls, a moment later."""

    def __init__(self, agenda: Agenda, listener: Action) -> None:
        self._agenda = agenda
        self._listener = listener
        self._pulled = False

    def ring(self) -> None:
        """Something has changed."""
        if not self._pulled:
            self._pulled = True
            self._agenda.soon(self._answer, 0.005)

    def _answer(self) -> None:
        self._pulled = False
        self._listener()

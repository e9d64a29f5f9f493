"""A simulated way for messages from one node to another: late, twice, lost and sent again, between two nodes never out of
order.

It does what an Outbox does (one batch under way, the same numbers until it is answered), with the real Inbox at its end.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from flightmesh.transport.inbox import Inbox
from tests.simulation.agenda import Agenda

M = TypeVar("M")

DEADLINE = 1.0


class Door(enum.Enum):
    """How who is called stands: there, silent, gone (calls are refused), or refusing this caller for good."""

    OPEN = "open"
    SILENT = "silent"
    GONE = "gone"
    FENCED = "fenced"


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad the network is: the longest delay, how often a call or its answer is lost, how often a call comes twice."""

    delay: float
    loss: float
    twice: float


class Link(Generic[M]):
    """Messages to one incarnation of one node."""

    def __init__(
        self,
        agenda: Agenda,
        weather: Weather,
        door: Callable[[], Door],
        deliver: Callable[[M], None],
        on_failure: Callable[[Door], None],
    ) -> None:
        self._agenda = agenda
        self._weather = weather
        self._door = door
        self._deliver = deliver
        self._on_failure = on_failure
        self._inbox: Inbox[M] = Inbox()
        self._waiting: deque[M] = deque()
        self._first = 0
        self._try = 0
        self._is_under_way = False
        self._is_closed = False

    def post(self, message: M) -> None:
        """Queues a message."""
        if not self._is_closed:
            self._waiting.append(message)
            self._send()

    def close(self) -> None:
        """Drops what was not sent."""
        self._is_closed = True
        self._waiting.clear()

    def _send(self) -> None:
        if self._is_under_way or self._is_closed or not self._waiting:
            return
        self._is_under_way = True
        self._try += 1
        first, batch, number = self._first, tuple(self._waiting), self._try
        calls = 2 if self._agenda.chance.random() < self._weather.twice else 1
        for _ in range(calls):
            if self._agenda.chance.random() >= self._weather.loss:
                self._agenda.soon(lambda: self._arrive(first, batch, number), self._weather.delay)
        self._agenda.after(DEADLINE, lambda: self._overdue(number))

    def _arrive(self, first: int, batch: tuple[M, ...], number: int) -> None:
        door = self._door()
        if door is Door.SILENT:
            self._agenda.after(0.3, lambda: self._arrive(first, batch, number))
            return
        if door is not Door.OPEN:
            self._agenda.soon(lambda: self._failed(number, door), self._weather.delay)
            return
        fresh, expected = self._inbox.accept(first, batch)
        for message in fresh:
            self._deliver(message)
        if self._agenda.chance.random() >= self._weather.loss:
            self._agenda.soon(lambda: self._answered(first, expected, number), self._weather.delay)

    def _answered(self, first: int, expected: int, number: int) -> None:
        if number != self._try or not self._is_under_way or self._is_closed:
            return
        for _ in range(min(expected - first, len(self._waiting))):
            self._waiting.popleft()
        self._first = expected
        self._is_under_way = False
        self._send()

    def _overdue(self, number: int) -> None:
        if number == self._try and self._is_under_way and not self._is_closed:
            self._is_under_way = False
            self._send()

    def _failed(self, number: int, door: Door) -> None:
        if number == self._try and self._is_under_way and not self._is_closed:
            self._is_under_way = False
            if door is Door.FENCED:
                self.close()
            else:
                self._agenda.after(0.1, self._send)
            self._on_failure(door)

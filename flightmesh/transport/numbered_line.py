"""What an outbox knows of its line: whether one is open, how much was written to it, when to ask how much was heard.

Handed messages with their numbers by the outbox's thread, answers by the line's; hands them on. What always holds: what was
written and not heard is asked after within ASK_SECONDS; a line that does not answer in time is given up, and what was written
to it counts as not sent; a line that has ended is dialled again, later and later where none comes about.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

from flightmesh.errors import FlightmeshError

LOG = logging.getLogger(__name__)
M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)

ASK_SECONDS = 0.25
ANSWER_SECONDS = 5.0
REDIAL_SECONDS = (1.0, 2.0, 5.0, 15.0, 60.0)


class MessageLine(Protocol[M_contra]):
    """A line of numbered messages."""

    def write(self, first: int, messages: tuple[M_contra, ...], asks: bool) -> bool:
        """Sends messages; `asks`: which number is expected next. False where they cannot go along this line."""

    def cancel(self) -> None:
        """Ends the line now."""


Dial: TypeAlias = Callable[[Callable[[int], None], Callable[[], None]], MessageLine[M]]
"""Opens a line: with what is told the number that the peer expects next (at first, once it is open, unasked) and what is told
that it has ended. Neither is called before it returns on the same thread."""


class NumberedLine(Generic[M]):
    """`changed` is the outbox's lock; `hear`, called with it held, is told what number is expected next and says how many
    messages were heard by that. `written`, under that lock: how many of the messages not heard are on the line."""

    def __init__(self, dial: Dial[M], changed: threading.Condition, hear: Callable[[int], int], answer_seconds: float) -> None:
        self.written = 0
        self._dial = dial
        self._changed = changed
        self._hear = hear
        self._answer_seconds = answer_seconds
        self._line: MessageLine[M] | None = None
        self._turn = 0  # of dialling: what an earlier line says does not count
        self._dialling = False
        self._open = False
        self._failed = 0
        self._dial_at = 0.0
        self._ask_at: float | None = None
        self._asked: float | None = None

    def patience(self) -> float | None:
        """How long nothing need be done where no message comes; None: for ever. The lock is held."""
        until = self._ask_at if self._asked is None else self._asked + self._answer_seconds
        return None if until is None else max(0.0, until - time.monotonic())

    def send(self, new_messages: Callable[[], tuple[int, tuple[M, ...]]]) -> bool:
        """Writes messages and asks what is to be asked; false where what was not heard is to go by a call. `new_messages`,
        called with the lock held, tells the number of the first that is not on the line, and these: an answer may come at any
        time."""
        now = time.monotonic()
        with self._changed:
            first, new = new_messages()
            line, turn = self._line, self._turn
            late = self._asked is not None and now >= self._asked + self._answer_seconds
            may_dial = not self._dialling and line is None and bool(new) and now >= self._dial_at
            is_open = self._open and line is not None and not late
            asks = is_open and self._asked is None and self._ask_at is not None and now >= self._ask_at
            if is_open:
                self.written += len(new)  # before they are: an answer may be quick
                self._asked = now if asks else self._asked
                self._ask_at = now + ASK_SECONDS if self._ask_at is None and self.written else self._ask_at
        if late and line is not None:
            self._ended(turn)
            line.cancel()
        if may_dial:
            self._begin()
        if not is_open or line is None:
            return False
        if not (new or asks) or self._write(line, first, new, asks):
            return True
        self._not_written(line, turn, len(new))
        return False

    def _write(self, line: MessageLine[M], first: int, new: tuple[M, ...], asks: bool) -> bool:
        """Whether these went along the line. Of those that cannot go at all, a call says why."""
        try:
            return line.write(first, new, asks)
        except Exception as error:
            LOG.warning("%d messages cannot go along a line: %s", len(new), error)
            return False

    def note_heard(self, heard: int) -> None:
        """So many messages were heard, by an answer or a call. The lock is held."""
        self.written = max(0, self.written - heard)
        if not self.written:
            self._ask_at = self._asked = None

    def close(self) -> None:
        """Ends the line now."""
        with self._changed:
            line, self._line = self._line, None
            self._turn += 1
        if line is not None:
            line.cancel()

    def _not_written(self, line: MessageLine[M], turn: int, count: int) -> None:
        """Messages could not go along the line. A question is small: where that could not go, the line is of no use."""
        if not count:
            self._ended(turn)
            line.cancel()
            return
        with self._changed:
            if self._turn == turn:
                self._asked = None
                self.written = max(0, self.written - count)
                self._ask_at = self._ask_at if self.written else None

    def _begin(self) -> None:
        with self._changed:
            self._dialling = True
            self._turn += 1
            turn = self._turn
        try:
            line = self._dial(lambda following: self._answered(turn, following), lambda: self._ended(turn))
        except FlightmeshError:
            self._ended(turn)  # a call says why
            return
        except Exception as error:  # no thread can be started, say
            LOG.warning("no line can be opened: %s", error)
            self._ended(turn)
            return
        with self._changed:
            is_current = self._turn == turn
            if is_current:
                self._line = line
        if not is_current:
            line.cancel()

    def _answered(self, turn: int, following: int) -> None:
        with self._changed:
            if self._turn != turn:
                return
            self._open, self._failed = True, 0
            self._asked = None
            self._ask_at = time.monotonic() + ASK_SECONDS
            self.note_heard(self._hear(following))

    def _ended(self, turn: int) -> None:
        with self._changed:
            if self._turn != turn:
                return
            self._turn += 1
            self._dial_at = time.monotonic() + REDIAL_SECONDS[min(self._failed, len(REDIAL_SECONDS) - 1)]
            self._failed += 1
            self._line, self._dialling, self._open, self.written = None, False, False, 0
            self._ask_at = self._asked = None
            self._changed.notify_all()

"""Waits for a condition, for tests that cannot be told when it holds; and time limits that a busy machine may miss once."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import TypeVar

TICK = 0.01
TRIES = 6
T = TypeVar("T")


class TooSlow(AssertionError):
    """All was right but for the time that it took."""


def wait_until(condition: Callable[[], object], seconds: float = 20.0, what: str = "the condition") -> float:
    """Until `condition` holds; how long that took, in seconds. Fails after `seconds`."""
    tick = threading.Event()
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"waited {seconds} s for {what}"
        tick.wait(TICK)
    return time.monotonic() - started


def assert_within(seconds: float, since: float, what: str) -> None:
    """That no more than `seconds` have passed since a moment of `time.monotonic`. Raises TooSlow."""
    passed = time.monotonic() - since
    if passed > seconds:
        raise TooSlow(f"{what} took {passed:.2f} s, not {seconds} s")


def again_if_slow(test: Callable[..., None]) -> Callable[..., None]:
    """The test, tried again where only a time was missed: what a machine with other things to do takes says little, what it
    takes so many times in a row says enough. It has to begin and end with the same things there."""

    @functools.wraps(test)
    def tried(*args: object, **named: object) -> None:
        for _ in range(TRIES - 1):
            try:
                return test(*args, **named)
            except TooSlow as missed:
                print(f"again: {missed}")
        return test(*args, **named)

    return tried


def ended(what: Callable[[], T], seconds: float) -> T:
    """What a call gives that may hang if something is wrong: then this fails, and does not hang."""
    given: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            given.append(what())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"not ended after {seconds} s"
    if failed:
        raise failed[0]
    return given[0]

"""Waits for a condition, for tests that cannot be told when it holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

TICK = 0.01


def wait_until(condition: Callable[[], object], seconds: float = 20.0, what: str = "the condition") -> float:
    """Until `condition` holds; how long that took, in seconds. Fails after `seconds`."""
    tick = threading.Event()
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"waited {seconds} s for {what}"
        tick.wait(TICK)
    return time.monotonic() - started

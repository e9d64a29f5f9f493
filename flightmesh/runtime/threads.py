"""Plain daemon threads that are kept for a while and used again.

Handed functions to run; makes a thread when none is idle and there are fewer than the limit. What always holds: after
`close` no thread is left, one that has had nothing to do for some seconds ends (and gives back what it kept open), and a
function never waits in line behind a blocked one unless the limit is reached.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable

IDLE_SECONDS = 5.0
"""How long a thread waits for work before it ends."""


class Threads:
    """A pool. Functions must not raise."""

    def __init__(self, name: str, limit: int | None = None, idle_seconds: float = IDLE_SECONDS) -> None:
        self._name = name
        self._idle_seconds = idle_seconds
        self._limit = limit
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._ending: list[threading.Thread] = []
        self._idle = 0
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    def run(self, work: Callable[[], None]) -> None:
        """Runs `work` in a thread, soon."""
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
            elif self._limit is None or len(self._threads) < self._limit:
                thread = threading.Thread(target=self._loop, name=f"{self._name}-{next(self._numbers)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            else:
                self._idle -= 1  # a debt that the next thread to fall idle pays
        self._work.put(work)

    def end(self) -> None:
        """Lets every thread end once its work is done; does not wait for them."""
        with self._lock:
            threads, self._threads = self._threads, []
            self._ending.extend(threads)
        for _ in threads:
            self._work.put(None)

    def close(self) -> None:
        """Ends every thread and waits for them."""
        self.end()
        for thread in self._ending:
            if thread is not threading.current_thread():
                thread.join()

    @property
    def count(self) -> int:
        """Threads that are there."""
        return len(self._threads)

    def _loop(self) -> None:
        while (work := self._next()) is not None:
            work()
            del work
            with self._lock:
                self._idle += 1

    def _next(self) -> Callable[[], None] | None:
        """What to do next; None: nothing more, or nothing for long."""
        while True:
            try:
                return self._work.get(timeout=self._idle_seconds)
            except queue.Empty:
                with self._lock:
                    # Somebody who counts on an idle thread has taken it off the count, and its work is on the way.
                    if self._idle > 0 and threading.current_thread() in self._threads:
                        self._idle -= 1
                        self._threads.remove(threading.current_thread())
                        return None

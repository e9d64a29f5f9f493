"""What a side takes while it runs a query: time on cores and memory, of its runner and of all processes that this has started.

Handed the id of a process; hands on figures. What always holds: memory is the sum of the processes' resident sets, so a page
that two of them share counts twice; CPU time counts children that have ended, too.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from types import TracebackType

import psutil

EVERY_SECONDS = 0.02
"""How often memory is looked at."""
TREE_EVERY_SECONDS = 0.5
"""How often new processes are looked for: that reads all of the system's."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time in seconds, the most memory in bytes, and memory over time in byte-seconds."""

    cpu: float
    peak: int
    byte_seconds: float


class Watch:
    """Looks at a tree of processes for as long as the block runs; then `usage` is there."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="flightmesh-bench-usage", daemon=True)
        self.usage = Usage(0.0, 0, 0.0)

    def __enter__(self) -> Watch:
        self._tree = self._processes()
        self._before = self._cpu(self._tree)
        self._peak, self._area = self._memory(), 0.0
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self.usage = Usage(max(0.0, self._cpu(self._processes()) - self._before), self._peak, self._area)

    def _look(self) -> None:
        last = refreshed = time.perf_counter()
        size = self._peak
        stopping = False
        while not stopping:
            stopping = self._stop.wait(EVERY_SECONDS)
            now = time.perf_counter()
            if now - refreshed > TREE_EVERY_SECONDS:
                self._tree, refreshed = self._processes(), now
            before, size = size, self._memory()
            self._peak = max(self._peak, size)
            self._area += (before + size) / 2 * (now - last)
            last = now

    def _processes(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return [self._root, *self._root.children(recursive=True)]
        return []

    def _memory(self) -> int:
        total = 0
        for process in self._tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    @staticmethod
    def _cpu(tree: list[psutil.Process]) -> float:
        total = 0.0
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

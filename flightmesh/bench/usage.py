"""What a side takes while it runs a query: time on cores and memory, of its runner and of all processes that this has started.

Handed the id of a process; hands on figures. What always holds: memory is the sum of the processes' resident sets, so a page
that two of them share counts twice; CPU time counts children that have ended, too.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from types import TracebackType

import psutil

from flightmesh.dataclass import dataclass

EVERY_SECONDS = 0.02
"""How often memory is looked at."""
TREE_EVERY_SECONDS = 0.5
"""How often new processes are looked for: that reads all of the system's."""
SETTLE_SECONDS = 5.0
SETTLE_STEP_SECONDS = 0.1
SETTLED_SHARE = 0.3
"""Share of one core that the other sides may still take, all together: the system counts in hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time in seconds, the most memory in bytes, and memory over time in byte-seconds."""

    cpu: float
    peak: int
    byte_seconds: float


def settle(pids: Iterable[int]) -> float:
    """Waits until these processes, and what they have started, leave the cores alone, for at most `SETTLE_SECONDS`: what a side
    does after its answer (collect garbage, compile) would slow down the next one. The seconds it took."""
    started = time.perf_counter()
    trees = [process for pid in pids for process in tree_of(pid)]
    before = cpu_seconds(trees)
    while (waited := time.perf_counter() - started) < SETTLE_SECONDS:
        time.sleep(SETTLE_STEP_SECONDS)
        now = cpu_seconds(trees)
        if now - before <= SETTLED_SHARE * SETTLE_STEP_SECONDS:
            break
        before = now
    return waited


def tree_of(pid: int) -> list[psutil.Process]:
    """A process and all that it has started, which runs."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def cpu_seconds(tree: Iterable[psutil.Process]) -> float:
    """Time on cores of these processes and of those that they have started and that have ended."""
    total = 0.0
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


class Watch:
    """Looks at a tree of processes for as long as the block runs; then `usage` is there."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="flightmesh-bench-usage", daemon=True)
        self.usage = Usage(0.0, 0, 0.0)

    def __enter__(self) -> Watch:
        self._tree = tree_of(self._pid)
        self._before = cpu_seconds(self._tree)
        self._peak, self._area = self._memory(), 0.0
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        self.usage = Usage(max(0.0, cpu_seconds(tree_of(self._pid)) - self._before), self._peak, self._area)

    def _look(self) -> None:
        last = refreshed = time.perf_counter()
        size = self._peak
        stopping = False
        while not stopping:
            stopping = self._stop.wait(EVERY_SECONDS)
            now = time.perf_counter()
            if now - refreshed > TREE_EVERY_SECONDS:
                self._tree, refreshed = tree_of(self._pid), now
            before, size = size, self._memory()
            self._peak = max(self._peak, size)
            self._area += (before + size) / 2 * (now - last)
            last = now

    def _memory(self) -> int:
        total = 0
        for process in self._tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

"""What a node carries, as its heartbeats say it.

Handed nothing but the process itself; hands on CPU, memory and threads. What always holds: `cpu` is the mean since the figure
was last asked for, in cores.
"""

from __future__ import annotations

import time

import psutil


class ProcessMeter:
    """Figures of this process. Used by one thread."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._at = time.monotonic()
        self._used = self._cpu_seconds()

    def cores(self) -> float:
        """Cores in use since the last call."""
        now, used = time.monotonic(), self._cpu_seconds()
        passed, self._at = now - self._at, now
        spent, self._used = used - self._used, used
        return round(spent / passed, 3) if passed > 0 else 0.0

    def resident(self) -> int:
        """Bytes resident."""
        return int(self._process.memory_info().rss)

    def threads(self) -> int:
        """Threads, those of Arrow and gRPC included."""
        return int(self._process.num_threads())

    def _cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

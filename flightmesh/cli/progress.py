"""A bar on stderr for work that takes long: tasks done, stages, rows and bytes.

Handed a result whose job runs; draws until told to stop. What always holds: nothing is drawn when stderr is no terminal, before
half a second has passed, or after `stop`.
"""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

    from flightmesh.driver.record import Progress as JobProgress
    from flightmesh.session import Result

_PATIENCE = 0.5
_REFRESH = 0.1


class Progress:
    """Watches one result from a thread of its own."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True) if sys.stderr.isatty() else None

    def __enter__(self) -> Progress:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Takes the bar off the screen; harmless when there is none."""
        self._stopped.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        if self._stopped.wait(_PATIENCE):
            return
        from rich.console import Console

        with _bar(Console(stderr=True)) as bar:
            task = bar.add_task("", total=None, counts="")
            while not self._stopped.wait(_REFRESH):
                seen = self._result.progress()
                bar.update(task, total=seen.tasks or None, completed=seen.tasks_done, counts=progress_text(seen))


def progress_text(seen: JobProgress) -> str:
    """The counts beside the bar."""
    done = f"{seen.stages_done}/{seen.stages} stages  {seen.tasks_done}/{seen.tasks} tasks"
    return f"{done}  {seen.rows:,} rows  {size_text(seen.bytes)}"


def size_text(size: int) -> str:
    """Bytes as a person reads them: `3.4 MB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _bar(console: Console) -> Bar:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.fields[counts]}"), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)

"""The command line as processes that a test starts, listens to, signals and ends."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.started import FLIGHTMESH, Started
from tests.waiting import wait_until

SECONDS = 120.0


class NodeCommand:
    """One running `flightmesh ...`; its output, stderr included, in `said`. `loaded`: see Started."""

    program: tuple[str, ...] = FLIGHTMESH

    def __init__(self, *arguments: str, loaded: bool = True, **environment: str) -> None:
        reading, writing = os.pipe()
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("FLIGHTMESH_") or name == "FLIGHTMESH_NODE_INTERFACES"
        }
        self.process = Started([*self.program, *arguments], stdout=writing, env=kept | environment, loaded=loaded)
        os.close(writing)
        self._printed = os.fdopen(reading, "rb")
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """What it has printed."""
        return "".join(self._lines)

    def wait_said(self, pattern: str, seconds: float = SECONDS) -> re.Match[str]:
        """Where it printed `pattern`, waited for."""
        wait_until(lambda: re.search(pattern, self.said) or self.process.poll() is not None, seconds, pattern)
        self._reader.join(0 if self.process.poll() is None else SECONDS)
        found = re.search(pattern, self.said)
        assert found, f"ended with {self.process.poll()} and never printed {pattern!r}:\n{self.said}"
        return found

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_code(self, seconds: float = SECONDS) -> int:
        """Its exit code, waited for."""
        code = self.process.wait(seconds)
        self._reader.join(seconds)
        return code

    def end(self) -> None:
        """Ends it at once, unless it has."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(SECONDS)

    def _read(self) -> None:
        with self._printed:
            for line in self._printed:
                self._lines.append(line.decode(errors="replace"))


@contextmanager
def flightmesh(*arguments: str, loaded: bool = True, **environment: str) -> Iterator[NodeCommand]:
    """A command that is ended with the block, whatever happens in it."""
    command = NodeCommand(*arguments, loaded=loaded, **environment)
    try:
        yield command
    finally:
        command.end()


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

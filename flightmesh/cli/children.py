"""Nodes as processes of this machine that one process starts, watches and ends.

Handed names and arguments; hands on what they print and that they have ended. What always holds: a child's signals are its own
(a Ctrl-C in the terminal reaches only its parent), and none outlives its parent, also one that was killed.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from typing import IO, TypeAlias

from flightmesh.dataclass import dataclass
from flightmesh.node.readiness import ADDRESSED_TO_ONE


@dataclass(frozen=True, slots=True)
class Said:
    """A child printed a line. `aloud`: on its stdout, which is meant for whoever started it."""

    name: str
    line: str
    aloud: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """A child has ended. Negative codes are signals."""

    name: str
    code: int

    def __str__(self) -> str:
        if self.code < 0:
            return f"was killed by {signal.Signals(-self.code).name}"
        return f"ended with code {self.code}"


News: TypeAlias = Said | Ended


OF_A_PERSON = ("FLIGHTMESH_TOKEN", "FLIGHTMESH_TOKEN_FILE", "FLIGHTMESH_MESH", "FLIGHTMESH_DRIVER")
"""Variables that say which mesh a person uses, not what the nodes of another are."""


class Children:
    """The children of this process. Used by one thread. `log_form`: how they write their logs, text or json."""

    def __init__(self, log_form: str) -> None:
        self.log_form = log_form
        self.news: queue.SimpleQueue[News] = queue.SimpleQueue()
        not_theirs = {*ADDRESSED_TO_ONE, *OF_A_PERSON}
        inherited = {name: value for name, value in os.environ.items() if name not in not_theirs}
        self._environment = inherited | {"FLIGHTMESH_LOG": log_form}
        self._alive: dict[str, subprocess.Popen[str]] = {}
        self._listened, self._held = os.pipe()  # nobody writes into it: that this process ends closes it

    @property
    def alive(self) -> tuple[str, ...]:
        """Names of those whose end has not been told yet."""
        return tuple(self._alive)

    def start(self, name: str, arguments: list[str]) -> None:
        """Starts a node."""
        command = [sys.executable, "-m", "flightmesh.cli.child", "--parent-pipe", str(self._listened), *arguments]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[self._listened],
            start_new_session=True,
            env=self._environment,
            text=True,
            errors="replace",
        )
        self._alive[name] = process
        threading.Thread(target=self._follow, args=(name, process), name=f"follow-{name}", daemon=True).start()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Sends a child a signal; harmless when it has ended."""
        if name in self._alive:
            self._alive[name].send_signal(number)

    def forget(self, name: str) -> None:
        """Its end has been told."""
        self._alive.pop(name, None)

    def _follow(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None and process.stderr is not None
        errors = threading.Thread(target=self._read, args=(name, process.stderr, False), daemon=True)
        errors.start()
        self._read(name, process.stdout, True)
        errors.join()
        self.news.put(Ended(name, process.wait()))

    def _read(self, name: str, stream: IO[str], aloud: bool) -> None:
        for line in stream:
            self.news.put(Said(name, line.rstrip("\n"), aloud))
        stream.close()

"""Nodes of a mesh as processes, for the runners of this engine.

Handed a stack of what is to be ended; hands on addresses. What always holds: nodes end with the stack, and when the process
that started them is gone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack

START_SECONDS = 60.0
END_SECONDS = 5.0
_DRIVER_READY = re.compile(r"driver ready: clients (grpc://([^\s,]+))")
_WORKER_READY = re.compile(r"worker \S+ ready, registered")


class Nodes:
    """Starts nodes; `ends` ends them. `settings`: more variables of theirs."""

    def __init__(self, ends: ExitStack, settings: Mapping[str, str] | None = None) -> None:
        self._ends = ends
        self._variables = {**os.environ, **(settings or {})}
        self._listened, held = os.pipe()  # nobody writes into it: that this process ends closes it, and then the nodes end too
        ends.callback(os.close, held)
        ends.callback(os.close, self._listened)

    def driver(self) -> str:
        """The URI of a driver, which is ready."""
        driver = _Node(["driver", "--insecure", "--listen", "127.0.0.1:0"], self._listened, self._ends, self._variables)
        return driver.wait_said(_DRIVER_READY)[1]

    def workers(self, driver: str, count: int, scratch: str) -> None:
        """One-thread workers, each with its share of the memory, registered at the driver with that URI."""
        from flightmesh.runtime.machine import memory_limit

        memory = str(memory_limit() // count)
        address = driver.partition("://")[2]
        shared = ["worker", "--insecure", "--driver", address, "--slots", "1", "--memory", memory, "--spill-dir", scratch]
        lines = [[*shared, "--name", f"w{number}"] for number in range(count)]
        nodes = [_Node(line, self._listened, self._ends, self._variables) for line in lines]
        for node in nodes:
            node.wait_said(_WORKER_READY)


class _Node:
    """A node as a process; `ends` ends it."""

    def __init__(self, arguments: list[str], parent_pipe: int, ends: ExitStack, variables: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flightmesh.cli.child", "--parent-pipe", str(parent_pipe), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=[parent_pipe],
            text=True,
            env=variables,
        )
        self._name = arguments[0]
        ends.callback(self._end)

    def wait_said(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """The first line that it prints with `pattern`, waited for."""
        assert self._process.stdout is not None
        late = threading.Timer(START_SECONDS, self._process.kill)  # which ends the lines
        late.start()
        try:
            for line in self._process.stdout:
                if found := pattern.search(line):
                    return found
        finally:
            late.cancel()
        raise RuntimeError(f"the {self._name} did not get ready; it ended with {self._process.wait()}")

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

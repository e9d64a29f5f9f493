"""The process of a side: started, asked by lines of JSON, ended with all that it has started.

Handed a side and its Python; hands on answers. What always holds: one that ended, or did not answer in time, is ended whole and
raises SideFailed with what it last said; a Ctrl-C in the terminal reaches only the command.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import psutil

from flightmesh.bench.sides import Side

PEERS = Path(__file__).with_name("peers")
START_SECONDS = 300.0
"""A JVM on a crowded machine takes minutes."""
END_SECONDS = 8.0
"""How long it may take to end when asked: a mesh leaves in order within less."""
_TAIL = 600
_SETTINGS = ("FLIGHTMESH_", "PYTHON", "SAIL_", "SPARK_", "POLARS_", "DATAFUSION_")


class SideFailed(Exception):
    """A side cannot do what it was asked, and is gone. The message says why, on one line."""


class QueryFailed(Exception):
    """A side has refused or failed a query, in its words; it is there for the next one."""


class Runner:
    """One side's process."""

    def __init__(self, side: Side, python: Path, options: dict[str, Any], log: Path) -> None:
        """Starts it and waits until it is open. `log`: a file for what it prints. Raises SideFailed."""
        self.side = side
        self._log = log
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        what = ["-m", side.runner] if side.is_ours else [str(PEERS / side.runner)]
        said = log.open("wb")
        with said:
            self._process = subprocess.Popen(
                [str(python), *what, json.dumps({**options, **side.options})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=_environment(side),
                start_new_session=True,
                text=True,
            )
        threading.Thread(target=self._read, name=f"flightmesh-bench-{side.name}", daemon=True).start()
        try:
            self.version = str(self._answer(START_SECONDS).get("version"))
        except QueryFailed as failure:
            self.end()
            raise SideFailed(str(failure)) from None
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Of the process that it all hangs on."""
        return self._process.pid

    def ask(self, seconds: float, do: str, **request: Any) -> dict[str, Any]:
        """The answer to a request. Raises QueryFailed when it is an error, SideFailed when there is none in time."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **request}) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise SideFailed(self._ended()) from None
        return self._answer(seconds)

    def end(self) -> None:
        """Ends it and what it has started: it is asked, then killed. Repeating it is harmless."""
        tree = self._tree()
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self._kill(tree)

    def kill(self) -> None:
        """Ends it all at once: of one that does not answer."""
        self._kill(self._tree())

    def _kill(self, tree: list[psutil.Process]) -> None:
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its group, which has its id, may outlive it
        self._process.wait()

    def _tree(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._process.pid).children(recursive=True)
        return []

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise SideFailed(f"no answer within {seconds:.0f} s") from None
        if line is None:
            raise SideFailed(self._ended())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise QueryFailed(str(answer["error"]))
        return answer

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def _ended(self) -> str:
        code = self._process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        said = " ".join(self._log.read_text(errors="replace").split())[-_TAIL:]
        return f"its process {how}: {said}" if said else f"its process {how}"


def _environment(side: Side) -> dict[str, str]:
    """Without what a person has set for an engine or for Python: sides are measured as they come."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    return kept | {"PYTHONPATH": str(PEERS.parents[2])} if side.is_ours else kept

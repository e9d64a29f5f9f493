"""The runner of this engine: embedded, or at a mesh of processes that it starts. `python -m flightmesh.bench.own OPTIONS`.

Speaks as every runner does (peers/protocol.py), and tells of each run what the engine knows: seconds of planning, bytes that
went from stage to stage and how many of them from worker to worker, bytes spilled.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from contextlib import ExitStack
from time import perf_counter
from typing import Any

import pyarrow as pa

import flightmesh
from flightmesh.bench.peers.protocol import serve
from flightmesh.driver.record import JobRecord
from flightmesh.session.figures import SPILLED

START_SECONDS = 60.0
END_SECONDS = 5.0
_DRIVER_READY = re.compile(r"driver ready: clients (grpc://([^\s,]+))")
_WORKER_READY = re.compile(r"worker \S+ ready, registered")


class Own:
    """A session here or at a mesh of its own."""

    version = flightmesh.__version__

    def __init__(self, options: dict[str, Any]) -> None:
        self._ends = ExitStack()
        self._last: tuple[Any, float] | None = None
        try:
            if options["engine"] == "mesh":
                uri = self._mesh(options["threads"], options["scratch"])
                self._session: Any = self._ends.enter_context(flightmesh.connect(uri))
            else:
                self._session = self._ends.enter_context(flightmesh.connect(threads=options["threads"]))
        except BaseException:
            self._ends.close()
            raise

    def load(self, tables: dict[str, str]) -> None:
        """Registers the files."""
        for name, path in tables.items():
            self._session.register(name, path)

    def run(self, sql: str) -> pa.Table:
        """To Arrow."""
        self._last = None  # its rows are not to lie in memory while others come
        start = perf_counter()
        result = self._session.sql(sql)
        planned = perf_counter() - start
        rows = result.to_arrow()
        self._last = result, planned
        return rows

    def figures(self) -> dict[str, float]:
        """What the engine knows of the last run. Asked for after it, as a mesh has to fetch it from its driver."""
        assert self._last is not None, "figures are of a run"
        result, planned = self._last
        return {"planning": planned, **exchanged(result.metrics)}

    def close(self) -> None:
        """Ends the session and the mesh."""
        self._ends.close()

    def _mesh(self, workers: int, scratch: str) -> str:
        """Starts a driver and one-thread workers, each with its share of the memory; the driver's URI."""
        from flightmesh.runtime.machine import memory_limit

        listened, held = os.pipe()  # nobody writes into it: that this process ends closes it, and then the nodes end too
        self._ends.callback(os.close, held)
        self._ends.callback(os.close, listened)
        driver = _Node(["driver", "--insecure", "--listen", "127.0.0.1:0"], listened, self._ends)
        ready = driver.wait_said(_DRIVER_READY)
        memory = str(memory_limit() // workers)
        shared = ["worker", "--insecure", "--driver", ready[2], "--slots", "1", "--memory", memory, "--spill-dir", scratch]
        nodes = [_Node([*shared, "--name", f"w{number}"], listened, self._ends) for number in range(workers)]
        for node in nodes:
            node.wait_said(_WORKER_READY)
        return ready[1]


class _Node:
    """A node as a process; `ends` ends it."""

    def __init__(self, arguments: list[str], parent_pipe: int, ends: ExitStack) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flightmesh.cli.child", "--parent-pipe", str(parent_pipe), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=[parent_pipe],
            text=True,
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


def exchanged(record: JobRecord | None) -> dict[str, float]:
    """Bytes that went from stage to stage, those that went from worker to worker, and those spilled. `record` is None for a
    result that needed no job."""
    if record is None:
        return {"exchanged": 0, "remote": 0, "spilled": 0}
    inner = {edge.edge for edge in record.edges if edge.consumer is not None}
    tasks = [task for stage in record.stages for task in stage.tasks]
    operators = [operator for task in tasks for operator in task.operators]
    return {
        "exchanged": sum(sum(written.bytes) for task in tasks for written in task.written if written.edge in inner),
        "remote": sum(operator.detail("remote_bytes") for operator in operators),
        "spilled": sum(operator.detail(SPILLED) for operator in operators),
    }


def main() -> None:
    """Serves until the command is gone."""
    serve(Own)


if __name__ == "__main__":
    main()

"""A mesh for tests: a driver and workers as processes of the real command line, on 127.0.0.1, each in a group of its own.

Handed how many and with what settings; hands on their addresses and process ids. What always holds: whatever was started is
ended, by signals to those processes alone; what they printed is shown when something goes wrong.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flightmesh
from flightmesh.protocol.client_messages import Jobs, Nodes, NodeStatus
from flightmesh.protocol.codec import decode
from flightmesh.protocol.node_messages import Load
from flightmesh.setting_kinds import Role
from flightmesh.settings.keys import KEYS, SECTIONS
from flightmesh.transport.flight_client import ClientConnection
from tests.waiting import wait_until

READY_SECONDS = 120.0
END_SECONDS = 5.0
_DRIVER_READY = re.compile(r"driver ready: clients (grpc://\S+?),")
_WORKER_READY = re.compile(r"worker \S+ ready, registered at \S+ as (\S+)")


@dataclass(slots=True)
class NodeProcess:
    """One process of a mesh."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    was_asked: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def said(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, unless it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def wait_said(self, pattern: re.Pattern[str], seconds: float = READY_SECONDS) -> re.Match[str]:
        """The first place where it printed `pattern`, waited for."""

        def found() -> re.Match[str] | None:
            match = pattern.search(self.said)
            assert match or self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.said}"
            return match

        wait_until(found, seconds, f"{self.name} to print {pattern.pattern!r}; it printed:\n{self.said}")
        match = found()
        assert match is not None
        return match

    def ask_to_end(self) -> None:
        """Asks once: a second signal would end a worker before it has left in order."""
        if not self.was_asked:
            self.was_asked = True
            self.signal(signal.SIGTERM)

    def end(self) -> None:
        """Ends it: politely, then for certain. One that was stopped is killed."""
        self.ask_to_end()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.process.wait(END_SECONDS)


@dataclass(slots=True)
class Cluster:
    """A driver and its workers."""

    uri: str
    driver: NodeProcess
    workers: list[NodeProcess]
    folder: Path

    @property
    def address(self) -> str:
        """HOST:PORT, as --driver takes it."""
        return self.uri.removeprefix("grpc://")

    def connect(self, **options: Any) -> flightmesh.RemoteSession:
        """A session at the driver."""
        return flightmesh.connect(self.uri, **options)

    def nodes(self) -> tuple[NodeStatus, ...]:
        """The nodes as the driver sees them."""
        found: Nodes = ask(self.uri, "nodes", Nodes)
        return found.nodes

    def carrying(self) -> list[NodeStatus]:
        """The workers that are there."""
        return [node for node in self.nodes() if node.role == "worker" and node.state == "alive"]

    def driver_row_bytes(self) -> int:
        """Bytes of rows that have gone into the driver or out of it."""
        (driver,) = [node for node in self.nodes() if node.role == "driver"]
        return driver.row_bytes

    def jobs(self) -> Jobs:
        """The jobs that the driver remembers."""
        found: Jobs = ask(self.uri, "jobs", Jobs)
        return found

    def is_idle(self) -> bool:
        """Whether no job runs and no worker holds a task, a channel, a spill file or a stream."""
        return is_idle(self.uri)

    def holds_nothing(self) -> bool:
        """The same but for streams: one that a stopped process was sending stays open until it goes on or ends."""
        return not _held(self.uri)

    def said(self) -> str:
        """What all processes printed, for a test that failed."""
        return "\n".join(f"--- {node.name} ---\n{node.said[-8000:]}" for node in (self.driver, *self.workers))


def ask(uri: str, action: str, kind: type) -> Any:
    """The answer of a driver to an action without a body."""
    connection = ClientConnection(uri)
    try:
        return decode(connection.action(action, b"", 10.0)[0], kind)
    finally:
        connection.close()


def is_idle(uri: str) -> bool:
    """Whether a mesh runs no job, and no worker holds a task, a channel, a spill file or a stream."""
    return not _held(uri) and not sum(load.streams for load in _loads(uri))


def _held(uri: str) -> int:
    jobs: Jobs = ask(uri, "jobs", Jobs)
    running = sum(job.state in ("queued", "running") for job in jobs.jobs)
    return running + sum(load.running_tasks + load.exchange_bytes + load.channels + load.spill_files for load in _loads(uri))


def _loads(uri: str) -> list[Load]:
    """What the workers carry that are alive and have said so."""
    nodes: Nodes = ask(uri, "nodes", Nodes)
    alive = [node for node in nodes.nodes if node.role == "worker" and node.state == "alive"]
    return [node.load for node in alive if node.load is not None]


@contextmanager
def cluster(workers: int = 3, slots: int = 1, mode: str = "get", **settings: Any) -> Iterator[Cluster]:
    """A mesh, ready. `settings`: those of the configuration files of its nodes: `memory`, `exchange={"memory": ...}`,
    `mesh={...}`, ..."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="flightmesh-mesh-")))
        exchange = {"directory": str(folder), **settings.pop("exchange", {}), "mode": mode}
        for role in (Role.DRIVER, Role.WORKER):
            text = json.dumps(_of_role(role, {"threads": slots, **settings, "exchange": exchange}))  # YAML holds JSON
            (folder / f"{role}.yaml").write_text(text)
        config = str(folder / "driver.yaml")
        driver = _started(ends, folder, "driver", ["driver", "--insecure", "--listen", "127.0.0.1:0", "--config", config])
        uri = driver.wait_said(_DRIVER_READY)[1]
        made = Cluster(uri, driver, [], folder)
        for number in range(workers):
            made.workers.append(start_worker(ends, made, f"w{number}"))
        for worker in made.workers:
            worker.wait_said(_WORKER_READY)
        try:
            yield made
        except BaseException:
            print(made.said(), file=sys.stderr)
            raise
        finally:
            for worker in made.workers:
                worker.ask_to_end()


def _of_role(role: Role, settings: dict[str, Any], section: str = "") -> dict[str, Any]:
    """The settings that concern a role: in its file others would be an error."""
    kept: dict[str, Any] = {}
    for name, value in settings.items():
        if name in SECTIONS and not section:
            kept[name] = _of_role(role, value, name)
        elif KEYS[f"{section}.{name}" if section else name].concerns(role):
            kept[name] = value
    return kept


def start_worker(ends: ExitStack, mesh: Cluster, name: str, options: Sequence[str] = ()) -> NodeProcess:
    """One more worker, which `ends` will end. It is ready when it says so. `options`: more of its command line."""
    config = str(mesh.folder / "worker.yaml")
    return _started(
        ends,
        mesh.folder,
        name,
        ["worker", "--insecure", "--driver", mesh.address, "--name", name, "--config", config, *options],
    )


def restart_driver(ends: ExitStack, mesh: Cluster) -> None:
    """Kills the driver and starts another at its address, which `ends` will end."""
    mesh.driver.signal(signal.SIGKILL)
    mesh.driver.process.wait(END_SECONDS)
    config = str(mesh.folder / "driver.yaml")
    args = ["driver", "--insecure", "--listen", mesh.address, "--config", config]
    mesh.driver = _started(ends, mesh.folder, f"driver-{time.monotonic_ns()}", args)
    mesh.driver.wait_said(_DRIVER_READY)


def _started(ends: ExitStack, folder: Path, name: str, args: list[str]) -> NodeProcess:
    log = folder / f"{name}.log"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FLIGHTMESH_")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "flightmesh", *args],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**kept, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    node = NodeProcess(name, process, log)
    ends.callback(node.end)
    return node

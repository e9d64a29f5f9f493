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
from flightmesh.config import Config
from flightmesh.protocol.client_messages import Jobs, Nodes, NodeStatus
from flightmesh.protocol.codec import decode
from flightmesh.protocol.node_messages import Load
from flightmesh.session.driver_access import DriverAccess, with_token
from flightmesh.setting_kinds import Role
from flightmesh.settings.keys import KEYS, SECTIONS
from flightmesh.trust.tokens import Kind, read_token
from tests.started import FLIGHTMESH, Started
from tests.waiting import wait_until

READY_SECONDS = 120.0
END_SECONDS = 5.0
_DRIVER_READY = re.compile(r"driver ready: clients (grpc(?:\+tls)?://\S+?),")
_PLAIN = ("--insecure",)
_WORKER_READY = re.compile(r"worker \S+ ready, registered at \S+ as (\S+)")


@dataclass(slots=True)
class NodeProcess:
    """One process of a mesh."""

    name: str
    process: Started
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

    access: DriverAccess
    driver: NodeProcess
    workers: list[NodeProcess]
    folder: Path
    driving: tuple[str, ...]
    """Options of its driver, beside where it listens."""
    joining: tuple[str, ...]
    """Options of its workers, beside where the driver is."""

    @property
    def trusted(self) -> Path:
        """Of a mesh with TLS: the folder with its `ca.pem` and `client.token`."""
        return self.folder / "state" / "flightmesh"

    @property
    def uri(self) -> str:
        """The driver's address, as clients give it."""
        return self.access.uri

    @property
    def address(self) -> str:
        """HOST:PORT, as --driver takes it."""
        return self.uri.partition("://")[2]

    def connect(self, partitions: int | None = None, **options: Any) -> flightmesh.RemoteSession:
        """A session at the driver."""
        return flightmesh.connect(self.uri, token=self.token, config=Config(partitions=partitions), **options)

    @property
    def token(self) -> str | None:
        """A client's, where the mesh asks for one."""
        return self.access.headers.get("authorization", "").removeprefix("Bearer ") or None

    def nodes(self) -> tuple[NodeStatus, ...]:
        """The nodes as the driver sees them."""
        found: Nodes = ask(self.access, "nodes", Nodes)
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
        found: Jobs = ask(self.access, "jobs", Jobs)
        return found

    def is_idle(self) -> bool:
        """Whether no job runs and no worker holds a task, a channel, a spill file or a stream."""
        return is_idle(self.access)

    def holds_nothing(self) -> bool:
        """The same but for streams: one that a stopped process was sending stays open until it goes on or ends."""
        return not _held(self.access)

    def said(self) -> str:
        """What all processes printed, for a test that failed."""
        return "\n".join(f"--- {node.name} ---\n{node.said[-8000:]}" for node in (self.driver, *self.workers))


def ask(driver: str | DriverAccess, action: str, kind: type) -> Any:
    """The answer of a driver, or of the one at a URI without TLS, to an action without a body."""
    connection = (DriverAccess(driver) if isinstance(driver, str) else driver).connect()
    try:
        return decode(connection.action(action, b"", 10.0)[0], kind)
    finally:
        connection.close()


def is_idle(driver: str | DriverAccess) -> bool:
    """Whether a mesh runs no job, and no worker holds a task, a channel, a spill file or a stream."""
    return not _held(driver) and not sum(load.streams for load in _loads(driver))


def _held(driver: str | DriverAccess) -> int:
    jobs: Jobs = ask(driver, "jobs", Jobs)
    running = sum(job.state in ("queued", "running") for job in jobs.jobs)
    return running + sum(load.running_tasks + load.exchange_bytes + load.channels + load.spill_files for load in _loads(driver))


def _loads(driver: str | DriverAccess) -> list[Load]:
    """What the workers carry that are alive and have said so."""
    nodes: Nodes = ask(driver, "nodes", Nodes)
    alive = [node for node in nodes.nodes if node.role == "worker" and node.state == "alive"]
    return [node.load for node in alive if node.load is not None]


@contextmanager
def cluster(workers: int = 3, slots: int = 1, mode: str = "get", **settings: Any) -> Iterator[Cluster]:
    """A mesh without TLS, ready. `settings`: those of the configuration files of its nodes: `memory`,
    `exchange={"memory": ...}`, `mesh={...}`, ..."""
    with _folder(slots, mode, settings) as (ends, folder):
        driver = _started(ends, folder, "driver", _driver_line(folder, _PLAIN, "127.0.0.1:0"))
        access = DriverAccess(driver.wait_said(_DRIVER_READY)[1])
        with _working(ends, Cluster(access, driver, [], folder, _PLAIN, _PLAIN), workers) as made:
            yield made


@contextmanager
def secured_cluster(workers: int = 3, slots: int = 1, mode: str = "get", **settings: Any) -> Iterator[Cluster]:
    """The same with TLS and tokens. What the driver keeps of it is in `trusted`."""
    with _folder(slots, mode, settings) as (ends, folder):
        own = ("--state", str(folder / "state"), "--peer-port", "0", "--no-mdns")
        driver = _started(ends, folder, "driver", _driver_line(folder, own, "127.0.0.1:0"))
        uri = driver.wait_said(_DRIVER_READY)[1]
        trusted = folder / "state" / "flightmesh"
        access = with_token(uri, read_token((trusted / "client.token").read_text(), Kind.CLIENT))
        ports = ("--listen", "127.0.0.1", "--port", "0", "--peer-port", "0", "--no-mdns")
        joining = ("--token-file", str(trusted / "worker.token"), *ports)
        with _working(ends, Cluster(access, driver, [], folder, own, joining), workers) as made:
            yield made


@contextmanager
def _folder(slots: int, mode: str, settings: dict[str, Any]) -> Iterator[tuple[ExitStack, Path]]:
    """A folder with the configuration of either role, and what ends the nodes before it goes."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="flightmesh-mesh-")))
        exchange = {"directory": str(folder), **settings.pop("exchange", {}), "mode": mode}
        for role in (Role.DRIVER, Role.WORKER):
            text = json.dumps(_of_role(role, {"threads": slots, **settings, "exchange": exchange}))  # YAML holds JSON
            (folder / f"{role}.yaml").write_text(text)
        yield ends, folder


@contextmanager
def _working(ends: ExitStack, mesh: Cluster, workers: int) -> Iterator[Cluster]:
    """The mesh with its workers."""
    for number in range(workers):
        mesh.workers.append(start_worker(ends, mesh, f"w{number}"))
    for worker in mesh.workers:
        worker.wait_said(_WORKER_READY)
    try:
        yield mesh
    except BaseException:
        print(mesh.said(), file=sys.stderr)
        raise
    finally:
        for worker in mesh.workers:
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
    line = ["worker", *mesh.joining, "--driver", mesh.address, "--name", name, "--config", config, *options]
    return _started(ends, mesh.folder, name, line)


def restart_driver(ends: ExitStack, mesh: Cluster) -> None:
    """Kills the driver and starts another at its address, which `ends` will end."""
    mesh.driver.signal(signal.SIGKILL)
    mesh.driver.process.wait(END_SECONDS)
    line = _driver_line(mesh.folder, mesh.driving, mesh.address)
    mesh.driver = _started(ends, mesh.folder, f"driver-{time.monotonic_ns()}", line)
    mesh.driver.wait_said(_DRIVER_READY)


def _driver_line(folder: Path, driving: tuple[str, ...], address: str) -> list[str]:
    return ["driver", *driving, "--listen", address, "--config", str(folder / "driver.yaml")]


def _started(ends: ExitStack, folder: Path, name: str, args: list[str]) -> NodeProcess:
    log = folder / f"{name}.log"
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("FLIGHTMESH_") or key == "FLIGHTMESH_NODE_INTERFACES"
    }
    with log.open("wb") as out:
        process = Started([*FLIGHTMESH, *args], stdout=out.fileno(), env={**kept, "PYTHONUNBUFFERED": "1"})
    node = NodeProcess(name, process, log)
    ends.callback(node.end)
    return node

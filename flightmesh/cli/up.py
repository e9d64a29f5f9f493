"""`flightmesh up`: a driver and workers on this machine, started, watched and ended together."""

from __future__ import annotations

import enum
import json
import os
import queue
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flightmesh.cli.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from flightmesh.cli.children import Children, Ended, Said
    from flightmesh.cli.mesh_file import MeshFile, NodeEntry

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh up --workers 2[/cyan]

[cyan]flightmesh up nodes/three.yaml[/cyan]

[cyan]flightmesh sql --driver 127.0.0.1:8815 "select 42"[/cyan]

Ctrl-C cancels what runs, ends the workers, then the driver. A second Ctrl-C ends them at once.
"""
PORT = 8815
READY_SECONDS = 60.0
LEAVE_SECONDS = 2.5
"""How long nodes may take to free what was cancelled and to leave, before they are ended at once."""
KILL_SECONDS = 2.0
LOOK_SECONDS = 0.2
_READY_AT = re.compile(r"^driver ready: clients (grpc(?:\+tls)?)://([^\s,]+)")
_READY = re.compile(r"^(?:driver|worker \S+) ready[:,]")


@guarded
def command(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A mesh, as in nodes/three.yaml.", show_default=False)
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="How many workers.", show_default="2")] = None,
    slots: Annotated[
        int | None, typer.Option("--slots", min=1, help="Slots of each worker.", show_default="its share of the cores")
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option("--memory", metavar="SIZE", help="Budget of each worker.", show_default="its share of the memory"),
    ] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="The driver's port; 0: any.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Without TLS and tokens: who is on this machine may use it.")
    ] = False,
) -> None:
    """Run a mesh on this machine: a driver and workers, each a process of its own. Until Ctrl-C."""
    mesh = _declared(file, workers, slots, memory, port)
    from flightmesh.cli.children import Children

    form = os.environ.get("FLIGHTMESH_LOG") or ("text" if sys.stderr.isatty() else "json")
    code = _Mesh(mesh, Children(form), _Wire.PLAIN if insecure else _Wire.TLS).run()
    if code:
        raise typer.Exit(code)


class _Wire(enum.Enum):
    """What the nodes speak."""

    TLS = "grpc+tls"
    PLAIN = "grpc"


class _Mesh:
    """One mesh from start to end. `run` is all of it."""

    def __init__(self, mesh: MeshFile, children: Children, wire: _Wire) -> None:
        self._mesh = mesh
        self._shared = ["--insecure"] if wire is _Wire.PLAIN else ["--mesh", mesh.mesh, "--no-mdns"]
        self._wire = wire
        self._children = children
        self._address: str | None = None
        self._ready: set[str] = set()
        self._interrupts = 0
        self._lost: list[str] = []

    def run(self) -> int:
        """Starts all nodes, waits for the end, ends all nodes. The exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)
        try:
            if not self._start():
                return 0 if self._interrupts else 1
            self._announce()
            while not self._interrupts and self._is_whole():
                self._hear(LOOK_SECONDS)
            return 0 if self._interrupts else 1
        finally:
            self._end()

    def _start(self) -> bool:
        """Whether every node got ready."""
        driver = self._mesh.driver
        self._children.start(driver.name, _driver_arguments(driver, self._shared))
        if not self._wait_for(lambda: self._address is not None):
            return False
        assert self._address is not None
        for worker in self._mesh.workers:
            self._children.start(worker.name, _worker_arguments(worker, self._address, self._shared))
        return self._wait_for(lambda: len(self._ready) == len(self._mesh.nodes))

    def _wait_for(self, reached: Callable[[], bool]) -> bool:
        until = time.monotonic() + READY_SECONDS
        while not reached():
            if self._interrupts or self._lost:
                return False
            if time.monotonic() > until:
                late = [node.name for node in self._mesh.nodes if node.name not in self._ready]
                _print_error(f"not ready after {READY_SECONDS:.0f} s: {', '.join(late)}")
                return False
            self._hear(LOOK_SECONDS)
        return True

    def _announce(self) -> None:
        count = len(self._mesh.workers)
        print(f"mesh {self._mesh.mesh} ready: a driver and {count} worker{'s' if count > 1 else ''} at {self._address}")
        print(f'  flightmesh sql --driver {self._address} "select 42"')
        print(f'  flightmesh.connect("{self._wire.value}://{self._address}")', flush=True)

    def _is_whole(self) -> bool:
        """Whether there is still a mesh: its driver, and a worker."""
        alive = self._children.alive
        return self._mesh.driver.name in alive and any(worker.name in alive for worker in self._mesh.workers)

    def _hear(self, seconds: float) -> None:
        from flightmesh.cli.children import Said

        try:
            news = self._children.news.get(timeout=seconds)
        except queue.Empty:
            return
        if isinstance(news, Said):
            self._heard_line(news)
        else:
            self._heard_end(news)

    def _heard_line(self, said: Said) -> None:
        if said.aloud and said.name == self._mesh.driver.name and (found := _READY_AT.search(said.line)):
            self._address = found[2]
        if said.aloud and _READY.search(said.line):
            self._ready.add(said.name)
        print(_as_log(said, self._children.log_form), file=sys.stderr, flush=True)

    def _heard_end(self, ended: Ended) -> None:
        self._children.forget(ended.name)
        if not self._interrupts:
            self._lost.append(ended.name)
            _print_error(f"node {ended.name} {ended}")

    def _interrupt(self, number: int, frame: object) -> None:
        self._interrupts += 1

    def _end(self) -> None:
        """The driver cancels what runs and stays, so that clients hear why; the workers leave; then the driver ends."""
        from flightmesh.cli.driver import REFUSE

        asked = self._interrupts
        self._interrupts = max(1, asked)
        workers, driver = [worker.name for worker in self._mesh.workers], [self._mesh.driver.name]
        if driver[0] in self._ready:  # before that the signal would end it
            self._signal(driver, REFUSE)
        self._signal(workers, signal.SIGTERM)
        have_left = self._wait_gone(workers, LEAVE_SECONDS, max(1, asked))
        self._signal(driver if have_left else [*workers, *driver], signal.SIGTERM)
        if not self._wait_gone([*workers, *driver], LEAVE_SECONDS, max(1, asked)):
            self._signal([*workers, *driver], signal.SIGTERM)
            if not self._wait_gone([*workers, *driver], KILL_SECONDS, None):
                self._signal([*workers, *driver], signal.SIGKILL)
                self._wait_gone([*workers, *driver], KILL_SECONDS, None)

    def _signal(self, names: list[str], number: signal.Signals) -> None:
        for name in names:
            self._children.signal(name, number)

    def _wait_gone(self, names: list[str], seconds: float, interrupts: int | None) -> bool:
        """Whether all have ended, before the time is over or another Ctrl-C came."""
        until = time.monotonic() + seconds
        while any(name in self._children.alive for name in names):
            hurried = interrupts is not None and self._interrupts > interrupts
            if hurried or time.monotonic() > until:
                return False
            self._hear(LOOK_SECONDS)
        return True


def _declared(file: Path | None, workers: int | None, slots: int | None, memory: str | None, port: int | None) -> MeshFile:
    """The mesh of the file, or of the numbers on the command line."""
    from flightmesh.cli.mesh_file import MeshFile, NodeEntry, load_mesh
    from flightmesh.cli.worker import read_size

    if file is not None:
        if workers is not None:
            raise typer.BadParameter("the file says which workers there are", param_hint="--workers")
        mesh = load_mesh(file)
    else:
        driver = NodeEntry(name="driver", role="driver", port=PORT)
        names = [f"worker-{number}" for number in range(1, (workers or 2) + 1)]
        mesh = MeshFile(nodes=(driver, *(NodeEntry(name=name, role="worker") for name in names)))
    size = None if memory is None else read_size(memory, "--memory", least=1)
    return mesh.model_copy(update={"nodes": tuple(_settled(node, mesh, slots, size, port) for node in mesh.nodes)})


def _settled(node: NodeEntry, mesh: MeshFile, slots: int | None, memory: int | None, port: int | None) -> NodeEntry:
    """A node with every number that it needs: the command line's, the file's, else its share of this machine."""
    from flightmesh.config import available_cores
    from flightmesh.runtime.machine import memory_limit

    if node.role == "driver":
        given = port if port is not None else node.port
        return node.model_copy(update={"port": PORT if given is None else given})
    share = len(mesh.workers)
    return node.model_copy(
        update={
            "slots": slots or node.slots or max(1, available_cores() // share),
            "memory": memory or node.memory or memory_limit() // share,
        }
    )


def _driver_arguments(node: NodeEntry, shared: list[str]) -> list[str]:
    at = ["--listen", f"127.0.0.1:{node.port}", "--peer-port", "0"]
    return ["driver", *shared, *at, *_shared_arguments(node)]


def _worker_arguments(node: NodeEntry, driver: str, shared: list[str]) -> list[str]:
    at = ["--driver", driver, "--listen", "127.0.0.1", "--port", "0", "--peer-port", "0"]
    arguments = ["worker", *shared, *at, "--name", node.name]
    arguments += ["--slots", str(node.slots), "--memory", str(node.memory)]
    if node.disk is not None:
        arguments += ["--disk", str(node.disk)]
    return [*arguments, *_shared_arguments(node)]


def _shared_arguments(node: NodeEntry) -> list[str]:
    roots = [part for root in node.allow_roots for part in ("--allow-root", root)]
    return [*roots, *(["--config", node.config] if node.config else [])]


def _as_log(said: Said, form: str) -> str:
    """A child's line as a line of the log: most are already, what it prints for whoever started it becomes one."""
    if said.line.startswith("{" if form == "json" else f"{said.name} | "):
        return said.line
    if form == "json":
        return json.dumps({"level": "info", "node": said.name, "message": said.line}, ensure_ascii=False)
    return f"{said.name} | {said.line}"


def _print_error(message: str) -> None:
    print(f"error: {message}", file=sys.stderr, flush=True)

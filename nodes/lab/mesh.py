"""A mesh in a laboratory: a driver in the first place, workers in the others, none of them told an address.

Handed how many nodes; hands on the nodes as processes with their logs. What always holds: what runs here runs in a namespace of
the laboratory, keeps what it writes in the laboratory's folder, and ends with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodes.lab.network import TICK, LabFailed, Network, folder_of

ROOT = Path(__file__).resolve().parents[2]
CLIENT = "client"
"""A place without a node."""
MESH = "flightmesh"
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Node:
    """A process in a place."""

    place: str
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """All that it has written so far."""
        return self.log.read_text(errors="replace")

    def wait_said(self, pattern: str, seconds: float = READY_SECONDS) -> re.Match[str]:
        """Until it has written something that matches. Raises LabFailed when it has not in time, or has ended."""
        end = time.monotonic() + seconds
        while (match := re.search(pattern, self.said())) is None:
            code = self.process.poll()
            if code is not None and re.search(pattern, self.said()) is None:
                raise LabFailed(f"the node in {self.place} has ended with {code}; it wrote:\n{self.said()}")
            if time.monotonic() >= end:
                raise LabFailed(f"the node in {self.place} did not write {pattern!r} in {seconds:g} s, but:\n{self.said()}")
            time.sleep(TICK)
        return match

    def kill(self) -> None:
        """Ends it without a word to anybody."""
        self.process.kill()
        self.process.wait()

    def leave(self, seconds: float = READY_SECONDS) -> int:
        """Asks it to go, as Ctrl-C does, and waits until it has. Its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(seconds)


class Lab:
    """Runs programs in the places of a network. The driver's state, and so its tokens, outlive it here."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.folder = folder
        self.nodes: dict[str, Node] = {}
        self._started = 0

    def start_driver(self, place: str, mesh: str = MESH, options: Sequence[str] = ()) -> Node:
        """A driver; it is waited for until it listens."""
        state = self.folder / "state" / place
        node = self.start(place, "driver", ["--mesh", mesh, "--state", str(state), *options], {})
        node.wait_said(r"driver ready")
        return node

    def start_worker(self, place: str, token: str | None, options: Sequence[str] = ()) -> Node:
        """A worker, with the token by which it may join (None: an insecure mesh); it is not waited for."""
        return self.start(place, "worker", ["--name", place, *options], {"FLIGHTMESH_TOKEN": token} if token else {})

    def token_for_workers(self, driver: Node) -> str:
        """The one in the line that the driver prints for other machines."""
        return driver.wait_said(r"--token (fm1\.\S+)")[1]

    def client_token(self, driver: str) -> str:
        """The file with the token of the clients of the driver in a place."""
        (found,) = self.folder.glob(f"state/{driver}/*/client.token")
        return str(found)

    def keep(self, name: str, text: str) -> str:
        """A file that only its owner reads, with a secret in it."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def start(self, place: str, command: str, options: Sequence[str], more: dict[str, str] | None = None) -> Node:
        """A `flightmesh` command that goes on, as the node of a place. `{address}` in an option is that of the place."""
        filled = [option.replace("{address}", self.network.addresses[place]) for option in options]
        node = self.start_program(place, ["-m", "flightmesh", command, *filled], more)
        self.nodes[place] = node
        return node

    def start_program(self, place: str, arguments: Sequence[str], more: dict[str, str] | None = None) -> Node:
        """A Python program that goes on, with the token of a client as for `run`."""
        self._started += 1
        log = self.folder / f"{place}-{self._started}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                self.network.command(place, [sys.executable, *arguments]),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment(self._settings_of_a_client() if more is None else more),
                start_new_session=True,  # Ctrl-C at who started the laboratory is not theirs
            )
        return Node(place, process, log)

    def run(self, place: str, *command: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """A program in a place, to its end. `flightmesh` is this checkout's, as a client with the tokens of the drivers
        here."""
        line = [sys.executable, "-m", *command] if command[0] == "flightmesh" else list(command)
        return subprocess.run(
            self.network.command(place, line),
            capture_output=True,
            text=True,
            timeout=seconds,
            env=self._environment(self._settings_of_a_client()),
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def _settings_of_a_client(self) -> dict[str, str]:
        tokens = list(self.folder.glob("state/*/*/client.token"))
        return {"FLIGHTMESH_TOKEN_FILE": str(tokens[0])} if len(tokens) == 1 else {}

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        """Nothing of the settings, proxies and files of who started the laboratory reaches its nodes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLIGHTMESH_", "XDG_"))}
        proxies = [name for name in kept if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")]
        for name in proxies:
            del kept[name]
        path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
        return {**kept, "PYTHONPATH": path, "TMPDIR": str(self.folder), "HOME": str(self.folder), **more}


@contextlib.contextmanager
def lab(
    nodes: int, tag: str, mesh: str = MESH, options: Sequence[str] = (), worker_options: Sequence[str] = ()
) -> Iterator[Lab]:
    """A mesh of so many nodes in `n1`, `n2`, ..., and a place `client`, for as long as the block runs. Its workers may not have
    joined yet."""
    with empty_lab([*places(nodes), CLIENT], tag) as made:
        fill(made, nodes, mesh, options, worker_options)
        yield made


@contextlib.contextmanager
def empty_lab(names: Sequence[str], tag: str) -> Iterator[Lab]:
    """The places, and nothing in them yet."""
    network, folder = Network(tag), folder_of(tag)
    try:
        yield build(network, folder, names)
    finally:
        remove(tag)


def build(network: Network, folder: Path, names: Sequence[str]) -> Lab:
    """The places, in a network that was not there, or whose remains are removed."""
    remove(network.tag)
    folder.mkdir(mode=0o700)
    network.build(names)
    return Lab(network, folder)


def fill(made: Lab, nodes: int, mesh: str, options: Sequence[str] = (), worker_options: Sequence[str] = ()) -> None:
    """The driver, and when it listens the workers, all at once."""
    first, *others = places(nodes)
    driver = made.start_driver(first, mesh, options)
    token = None if "--insecure" in options else made.token_for_workers(driver)
    for place in others:
        made.start_worker(place, token, worker_options)


def remove(tag: str) -> None:
    """Everything of a laboratory, running or left behind."""
    Network(tag).tear_down()
    if folder_of(tag).exists():
        shutil.rmtree(folder_of(tag))


def places(nodes: int) -> list[str]:
    """The names of the places that have a node."""
    return [f"n{number}" for number in range(1, nodes + 1)]

"""Processes that tests start: forked by one that has flightmesh loaded (`tests/fork_server.py`), so that they begin at once.

What always holds: none outlives the tests, however those end. The processes of a mesh come from two such servers, in which
`hash` of a text differs, as it does between real nodes: what wrongly relies on it is seen.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fork_server import Request

FLIGHTMESH = (sys.executable, "-m", "flightmesh")
SERVERS = 2
_ROOT = Path(__file__).parents[1]


class Started:
    """A process, with what tests use of `subprocess.Popen`. `command`: a program and its arguments. FLIGHTMESH with arguments
    runs without a new interpreter, unless `loaded` is False: for tests that look at the process from outside."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int,
        stderr: int = subprocess.STDOUT,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        loaded: bool = True,
    ) -> None:
        program = tuple(command[: len(FLIGHTMESH)]) == FLIGHTMESH
        words = list(command[len(FLIGHTMESH) :] if program and loaded else command)
        request = Request(words, program and loaded, dict(os.environ if env is None else env), str(cwd or Path.cwd()))
        reading, answering = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        network = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            given = [null if stream == subprocess.DEVNULL else stream for stream in (stdin, stdout, stderr)]
            streams = [given[1] if stream == subprocess.STDOUT else stream for stream in given]
            _ask(request, [*streams, answering, network])
        finally:
            for descriptor in (answering, null, network):
                os.close(descriptor)
        self.returncode: int | None = None
        self._answers = os.fdopen(reading, "rb")
        self.pid = int(self._answers.readline())
        self._ended = threading.Event()
        threading.Thread(target=self._follow, name=f"end-of-{self.pid}", daemon=True).start()

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The same, waited for. Raises subprocess.TimeoutExpired."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)

    def _follow(self) -> None:
        with self._answers:
            self.returncode = int(self._answers.readline() or -signal.SIGKILL)  # a server that ends takes all with it
        self._ended.set()


def run(
    command: Sequence[str], *, given: str = "", cwd: Path | None = None, env: Mapping[str, str] | None = None, seconds: float
) -> subprocess.CompletedProcess[str]:
    """A command from start to end: its exit code and what it wrote. Raises subprocess.TimeoutExpired, and then kills it."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(given.encode())
        stdin.seek(0)
        process = Started(command, stdin=stdin.fileno(), stdout=stdout.fileno(), stderr=stderr.fileno(), cwd=cwd, env=env)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        wrote = []
        for stream in (stdout, stderr):
            stream.seek(0)
            wrote.append(stream.read().decode())
        return subprocess.CompletedProcess(list(command), code, *wrote)


_servers: list[socket.socket] = []
_turns = itertools.count()
_starting = threading.Lock()


def _ask(request: Request, descriptors: list[int]) -> None:
    """Hands a request to the server whose turn it is, which is started when first needed and ends with this process."""
    with _starting:
        turn = next(_turns) % SERVERS
        if turn == len(_servers):
            _servers.append(_start_server())
        socket.send_fds(_servers[turn], [request.encoded()], descriptors)


def _start_server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            cwd=_ROOT,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    return ours

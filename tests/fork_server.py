"""A process that has flightmesh loaded and forks the processes that tests ask it for; see `tests/started.py`, which starts it.

`python -m tests.fork_server FD`, with one end of a Unix socket that keeps messages apart. A message is a `Request` in JSON with
five descriptors: stdin, stdout, stderr, the pipe of the answer, and the network namespace of who asks. Answered are a line with
the process id, and one with the exit status once it has ended.

What always holds: what it has started is killed by the system when this process ends, and this process ends when the other end
of the socket is closed, however that comes about.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
import warnings
from dataclasses import asdict, dataclass

MESSAGE_BYTES = 1 << 20
DESCRIPTORS = 5
LOADED = (
    "flightmesh.cli.driver",
    "flightmesh.cli.main",
    "flightmesh.cli.settings",
    "flightmesh.cli.sql",
    "flightmesh.cli.worker",
    "flightmesh.discovery.opening",
    "flightmesh.frontend.yaml.plan",
    "flightmesh.node.client_service",
    "flightmesh.node.driver_node",
    "flightmesh.node.handshakes",
    "flightmesh.node.logs",
    "flightmesh.node.readiness",
    "flightmesh.node.worker_node",
    "flightmesh.session",
    "flightmesh.settings.effective",
    "pydantic.type_adapter",
    "sqlglot.dialects.duckdb",
)
"""What nodes and clients import sooner or later. Nothing that reads the environment while it is imported, as rich does."""
_PR_SET_PDEATHSIG = 1
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True, slots=True)
class Request:
    """A process to start: a command; or, if `loaded`, what `python -m flightmesh` does with the arguments `command`, without a
    new interpreter."""

    command: list[str]
    loaded: bool
    environment: dict[str, str]
    folder: str

    def encoded(self) -> bytes:
        """As it is sent."""
        return json.dumps(asdict(self)).encode()


def main() -> None:
    """Serves until the socket is closed. In each child it returns into the program that was asked for."""
    asking = socket.socket(fileno=int(sys.argv[1]))
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # as the command line does, before gRPC is loaded
    for name in LOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # collections in a child would else copy every page
    asked = _serve(asking)
    _take_place(*asked)
    if asked[0].loaded:
        _read_anew(asked[0])
        runpy.run_module("flightmesh", run_name="__main__", alter_sys=True)
    else:
        os.execvpe(asked[0].command[0], asked[0].command, asked[0].environment)


def _serve(asking: socket.socket) -> tuple[Request, list[int]]:
    """Forks a child for each request; what it returns, it returns in a child."""
    poll = select.poll()
    poll.register(asking, select.POLLIN)
    children: dict[int, tuple[int, int]] = {}
    """By the descriptor that tells of its end: the process id of a child, and where its status is written."""
    while True:
        for ready, _ in poll.poll():
            if ready != asking.fileno():
                poll.unregister(ready)
                _tell_end(ready, *children.pop(ready))
                continue
            message, descriptors, _, _ = socket.recv_fds(asking, MESSAGE_BYTES, DESCRIPTORS)
            if not message:
                os._exit(0)
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", DeprecationWarning
                )  # of other threads: those of OpenBLAS and jemalloc, which end
                child = os.fork()
            if child == 0:
                asking.detach()
                return Request(**json.loads(message)), descriptors
            *streams, answers, network = descriptors
            for descriptor in (*streams, network):
                os.close(descriptor)
            ends = os.pidfd_open(child)
            children[ends] = child, answers
            poll.register(ends, select.POLLIN)


def _tell_end(ends: int, child: int, answers: int) -> None:
    """Writes the status of a child that has ended, as its parent alone can."""
    _, status = os.waitpid(child, 0)
    os.close(ends)
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(status))
    os.close(answers)


def _take_place(request: Request, descriptors: list[int]) -> None:
    """Makes this child what `subprocess.Popen` makes: in a session of its own, with the streams, the folder and the network of
    who asked. It is killed with its parent. Who asked hears of it once it has its session and so can be sent signals."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    *_, answers, network = descriptors
    os.write(answers, b"%d\n" % os.getpid())
    if os.fstat(network).st_ino != os.stat("/proc/self/ns/net").st_ino and libc.setns(network, _CLONE_NEWNET) != 0:  # noqa: PTH116
        raise OSError(ctypes.get_errno(), "setns")
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)  # noqa: PTH208
    os.chdir(request.folder)


def _read_anew(request: Request) -> None:
    """What an interpreter reads when it starts: the environment, the arguments, where modules lie, the streams."""
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv[1:] = request.command
    sys.path[0] = request.folder
    buffering, at_once = (0, True) if request.environment.get("PYTHONUNBUFFERED") else (-1, False)
    sys.stdin = sys.__stdin__ = open(0, encoding=sys.stdin.encoding)  # type: ignore[misc]  # noqa: SIM115
    for number, name in ((1, "stdout"), (2, "stderr")):
        before: io.TextIOWrapper = getattr(sys, name)
        raw = open(number, "wb", buffering)  # noqa: SIM115, PTH123
        lines = number == 2 or os.isatty(number)
        anew = io.TextIOWrapper(raw, before.encoding, before.errors, line_buffering=lines, write_through=at_once)
        setattr(sys, name, anew)
        setattr(sys, f"__{name}__", anew)


if __name__ == "__main__":
    main()

"""Network namespaces of a test's own, so that nothing of it is heard outside.

What always holds: only the thread of the test is in the namespace, and what it starts, threads and processes; the namespace
goes when the last of them does.
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.packages import need

CLONE_NEWNET = 0x40000000
T = TypeVar("T")


_stats_of_the_process = psutil.net_if_stats
_looking = threading.Lock()


def _stats_of_the_thread() -> dict[str, Any]:
    """psutil reads the names of interfaces where those of the process's first thread stand."""
    with _looking:
        before, psutil.PROCFS_PATH = psutil.PROCFS_PATH, "/proc/thread-self"
        try:
            return _stats_of_the_process()
        finally:
            psutil.PROCFS_PATH = before


psutil.net_if_stats = _stats_of_the_thread


def in_namespace(test: Callable[..., None]) -> Callable[..., None]:
    """The test, run in a network namespace in which there is nothing but loopback."""

    @functools.wraps(test)
    def moved(*args: object, **named: object) -> None:
        def run() -> None:
            _leave_network("unshare", CLONE_NEWNET)
            ip("link set lo up")
            test(*args, **named)

        _in_thread(run)

    return moved


def inside(namespace: str, what: Callable[[], T]) -> T:
    """What a call gives that is made in the namespace of that name. Threads that it starts stay there."""

    def run() -> T:
        with Path("/run/netns", namespace).open() as opened:
            _leave_network("setns", opened.fileno(), CLONE_NEWNET)
        return what()

    return _in_thread(run)


def _in_thread(run: Callable[[], T]) -> T:
    given: list[T] = []
    failed: list[BaseException] = []

    def kept() -> None:
        try:
            given.append(run())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=kept)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return given[0]


def _leave_network(call: str, *arguments: int) -> None:
    """The calling thread leaves the network that the rest of the process is in."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def add_link(name: str, address: str, kind: str = "") -> None:
    """An interface that is up: the near end of a cable whose far end, `<name>-far`, hangs in the air; or of another kind."""
    far = f"{name}-far"
    ip(f"link add {name} type {kind}" if kind else f"link add {name} type veth peer name {far}")
    ip(f"addr add {address} dev {name}{' nodad' if ':' in address else ''}")
    ip(f"link set {name} up")
    if not kind:
        ip(f"link set {far} up")


def ip(command: str) -> str:
    """What `ip` of iproute2 prints, in the caller's namespace."""
    ran = subprocess.run([need("ip", "iproute2"), *command.split()], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"ip {command}: {ran.stderr}"
    return ran.stdout

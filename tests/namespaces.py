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

import psutil

from tests.packages import need

CLONE_NEWNET = 0x40000000


def in_namespace(test: Callable[..., None]) -> Callable[..., None]:
    """The test, run in a network namespace in which there is nothing but loopback."""

    @functools.wraps(test)
    def moved(*args: object, **named: object) -> None:
        failed: list[BaseException] = []

        def run() -> None:
            try:
                enter_new_namespace()
                ip("link set lo up")
                test(*args, **named)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        before, psutil.PROCFS_PATH = psutil.PROCFS_PATH, "/proc/thread-self"  # where the namespace of a thread is seen
        thread.start()
        thread.join()
        psutil.PROCFS_PATH = before
        if failed:
            raise failed[0]

    return moved


def enter_new_namespace() -> None:
    """The calling thread leaves the network that the rest of the process is in."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"no network namespace could be made: {os.strerror(number)}")


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

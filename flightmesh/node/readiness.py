"""Says when a node is ready: to the service manager that started it (systemd's notify protocol), and by a file for probes.

Handed NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID and FLIGHTMESH_READY_FILE of the environment, and news of the node; hands on
datagrams and the file. What always holds: the file is there only while the node is ready, one that a killed node left goes at
the start; the watchdog is fed only while the node's event loop answers; a manager that does not listen stops no node.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from flightmesh.errors import InvalidConfig

LOG = logging.getLogger(__name__)
READY_FILE = "FLIGHTMESH_READY_FILE"
ADDRESSED_TO_ONE = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", READY_FILE)
"""Variables that speak to one process, and not to the nodes that it starts."""
Answers = Callable[[float], bool]
"""Whether the event loop of a node answers within so many seconds."""


class Readiness:
    """One process's. Any thread may call, and signal handlers. Raises InvalidConfig for variables that make no sense."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._file = Path(environment[READY_FILE]).absolute() if environment.get(READY_FILE) else None
        self._watchdog = _watchdog_seconds(environment)
        self._lock = threading.RLock()  # a signal handler may come while its own thread holds it
        self._is_stopping = False
        self._is_deaf = False
        self._ended = threading.Event()
        if self._file is not None:
            _require_place(self._file)

    def ready(self, status: str) -> None:
        """The node does its work from now on. `status` is for people."""
        with self._lock:
            if self._is_stopping:
                return
            if self._file is not None:
                _place(self._file, status)
            self._tell("READY=1", _status(status))

    def waiting(self, status: str) -> None:
        """The node is not ready, or not any more, and means to be."""
        with self._lock:
            if not self._is_stopping:
                self._remove_file()
                self._tell(_status(status))

    def stopping(self) -> None:
        """The node is about to end. Repeating it is harmless."""
        with self._lock:
            if not self._is_stopping:
                self._is_stopping = True
                self._remove_file()
                self._tell("STOPPING=1")

    def close(self) -> None:
        """The same, and the watchdog is not fed any more."""
        self.stopping()
        self._ended.set()

    def watch(self, answers: Answers) -> None:
        """From now on the watchdog, if there is one, is fed as long as the node answers. Called once."""
        if self._watchdog is not None and self._address is not None:
            arguments = (answers, self._watchdog)
            threading.Thread(target=self._feed, args=arguments, name="flightmesh-watchdog", daemon=True).start()

    def _feed(self, answers: Answers, seconds: float) -> None:
        """At half of the watchdog's time; one who did not answer is asked again soon, before that time is over."""
        pause = 0.0
        while not self._ended.wait(pause):
            if answers(seconds / 8):
                self._tell("WATCHDOG=1")
                pause = seconds / 2
            elif not self._ended.is_set():
                LOG.warning("the event loop does not answer: the service manager's watchdog is not fed")
                pause = seconds / 8

    def _remove_file(self) -> None:
        if self._file is not None:
            _remove(self._file)

    def _tell(self, *words: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
                notify.setblocking(False)
                notify.sendto("\n".join(words).encode(), self._address)
        except OSError as failure:
            if not self._is_deaf:
                self._is_deaf = True
                LOG.warning("the service manager did not hear that %s: %s", words[0], failure.strerror)


def _address(text: str) -> str | None:
    """As the socket module takes it: an `@` in front stands for the zero byte of an abstract address."""
    if not text:
        return None
    if text[0] not in "/@" or len(text) < 2:
        raise InvalidConfig(f"NOTIFY_SOCKET is {text!r}", hint="a service manager sets it to a path or to @ and a name")
    return "\0" + text[1:] if text[0] == "@" else text


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """None: nobody watches, or watches another process."""
    text = environment.get("WATCHDOG_USEC", "")
    if not text or environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    if not (text.isdigit() and int(text)):
        raise InvalidConfig(f"WATCHDOG_USEC is {text!r}", hint="a service manager sets it to a number of microseconds")
    return int(text) / 1e6


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())


def _require_place(file: Path) -> None:
    """Removes what a killed node left. Raises InvalidConfig where no file can be made."""
    try:
        file.unlink(missing_ok=True)
        beside = _beside(file)
        beside.write_text("")
        beside.unlink()
    except OSError as failure:
        hint = f"{READY_FILE} names a file to be made, in a folder that is there"
        raise InvalidConfig(f"the readiness file {file} cannot be made: {failure.strerror}", hint=hint) from None


def _place(file: Path, status: str) -> None:
    """Whole or not at all."""
    try:
        beside = _beside(file)
        beside.write_text(status + "\n")
        beside.replace(file)
    except OSError as failure:
        LOG.warning("the readiness file %s cannot be made: %s", file, failure.strerror)


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as failure:
        LOG.warning("the readiness file %s cannot be removed: %s", file, failure.strerror)


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name}.{os.getpid()}")

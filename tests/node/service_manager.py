"""A service manager's end of the notify protocol, for tests: hears what a node says, in order."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import TracebackType

from tests.waiting import wait_until


class ServiceManager:
    """A context: it listens inside the block. `address` is what NOTIFY_SOCKET has to be."""

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:] if self.address[0] == "@" else self.address)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> ServiceManager:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def count(self, line: str) -> int:
        """How often it heard that line."""
        return sum(line in said.splitlines() for said in self.heard.copy())

    def wait_heard(self, line: str, times: int = 1) -> None:
        """Until it heard that line so often."""
        wait_until(lambda: self.count(line) >= times, what=f"{line} x {times} in {self.heard}")

    def _listen(self) -> None:
        while said := self._socket.recv(4096):
            self.heard.append(said.decode())

"""Prepared statements: texts with the values that were last bound to their parameters, under handles that nobody can guess.

Handed texts, handles, values; hands on statements. What always holds: a statement is text and nothing else, planned
whenever it is run, so one that is never closed holds no table and no job; it needs no session; one that was not used for its
lease is gone, and of too many, or too large ones, those that were used longest ago.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import field, replace

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidQuery

MOST = 10_000
"""Statements."""
MOST_BYTES = 128 * 1024 * 1024
"""Of their texts and values together."""
_OVERHEAD = 512


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """One statement. `parameters`: their names in order; `values`: what is bound to them, None before the first time."""

    text: str
    parameters: tuple[str, ...]
    values: Mapping[str, pa.Scalar] | None = None
    value_bytes: int = 0
    used: float = field(default_factory=time.monotonic)

    @property
    def size(self) -> int:
        """Bytes that it is counted with."""
        return len(self.text) + self.value_bytes + _OVERHEAD


class PreparedStatements:
    """All of a driver. Any thread may call. `seconds`: how long one stays that nobody uses."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._kept: OrderedDict[bytes, PreparedStatement] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, statement: PreparedStatement) -> bytes:
        """Keeps a statement; its handle."""
        handle = secrets.token_hex(16).encode()
        with self._lock:
            self._put(handle, statement)
        return handle

    def find(self, handle: bytes) -> PreparedStatement:
        """The statement of a handle, whose lease begins anew. Raises InvalidQuery for one that is not there (any more)."""
        with self._lock:
            return self._renewed(handle)

    def bind(self, handle: bytes, values: Mapping[str, pa.Scalar], value_bytes: int) -> None:
        """Values for the next runs. Raises InvalidQuery as `find` does."""
        with self._lock:
            self._put(handle, replace(self._renewed(handle), values=values, value_bytes=value_bytes))

    def close(self, handle: bytes) -> None:
        """Forgets a statement. Harmless when it is not there."""
        with self._lock:
            self._drop(handle)

    def _renewed(self, handle: bytes) -> PreparedStatement:
        self._drop_old()
        found = self._kept.get(handle)
        if found is None:
            raise InvalidQuery(
                "there is no such prepared statement",
                hint=f"prepare it again: one that is not used for {self.seconds:.0f} s is dropped",
            )
        self._put(handle, replace(found, used=time.monotonic()))
        return found

    def _put(self, handle: bytes, statement: PreparedStatement) -> None:
        self._drop(handle)
        self._kept[handle] = statement
        self._bytes += statement.size
        self._drop_old()
        while len(self._kept) > MOST or (self._bytes > MOST_BYTES and len(self._kept) > 1):
            self._drop(next(iter(self._kept)))

    def _drop_old(self) -> None:
        """The order of the statements is that of their last use."""
        limit = time.monotonic() - self.seconds
        while self._kept and next(iter(self._kept.values())).used < limit:
            self._drop(next(iter(self._kept)))

    def _drop(self, handle: bytes) -> None:
        gone = self._kept.pop(handle, None)
        if gone is not None:
            self._bytes -= gone.size

"""The files of one channel on disk: Arrow IPC record batch messages one behind the other, compressed with lz4.

Handed batches; hands on places, and the equal batch for a place. What always holds: a file is there as long as something in it
is live or being read, and is removed at once when nothing is; no file stays open, so channels cost no descriptors.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError, ResourceExhausted

FILE_BYTES = 16 * 1024 * 1024
"""A file that has grown to so much is not appended to any more: what is read frees its bytes a file at a time."""
READ_FILE_BYTES = 1024 * 1024
"""The same, once something in it has been read."""
_WRITE = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
_READ = pa.ipc.IpcReadOptions(use_threads=False)
"""Handing a buffer to a thread and waiting for it costs more than compressing a block of 256 KiB."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class SpillFile:
    """One file; its area's lock guards it. `live`: places in it, and readings under way."""

    path: Path
    size: int = 0
    live: int = 0
    freed: int = 0
    is_gone: bool = False

    @property
    def is_full(self) -> bool:
        """Whether the next entries go to a new file."""
        return self.is_gone or self.size >= FILE_BYTES or (self.freed > 0 and self.size >= READ_FILE_BYTES)


class Area(Protocol):
    """What files need of the area in which they lie."""

    def reserve(self, channel: ChannelFiles, size: int, places: int) -> tuple[SpillFile, int]:
        """Room for `size` bytes of `places` entries at the end of the channel's file: the file and the offset there."""

    def let_go(self, file: SpillFile) -> None:
        """One place or reading less."""

    def hold(self, file: SpillFile) -> None:
        """One reading more."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry lies. `hold` before `read`, where another thread may `free` it meanwhile; `let_go` after it."""

    area: Area
    file: SpillFile
    offset: int
    size: int

    def hold(self) -> None:
        """Keeps the file until `let_go`."""
        self.area.hold(self.file)

    def let_go(self) -> None:
        """Ends a `hold`, or the entry itself."""
        self.area.let_go(self.file)

    def read(self, schema: pa.Schema) -> pa.RecordBatch:
        """The batch."""
        head = memoryview(schema.serialize())
        data = bytearray(len(head) + self.size)
        data[: len(head)] = head
        descriptor = os.open(self.file.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = os.preadv(descriptor, [memoryview(data)[len(head) :]], self.offset)
        finally:
            os.close(descriptor)
        if found != self.size:
            raise InternalError(f"spill file {self.file.path} was cut short: {found} of {self.size} bytes at {self.offset}")
        return pa.ipc.open_stream(pa.py_buffer(data), options=_READ).read_next_batch()


class ChannelFiles:
    """The files of one channel. Any thread may write."""

    def __init__(self, area: Area, name: str) -> None:
        self.name = name
        self.current: SpillFile | None = None
        """The file that is appended to; the area's lock guards it."""
        self.made = 0
        self._area = area

    def write(self, batches: Sequence[pa.RecordBatch]) -> list[Place]:
        """Writes batches; their places. Raises ResourceExhausted past the area's limit or when the disk is full."""
        messages = _messages(batches)
        total = sum(message.size for message in messages)
        file, offset = self._area.reserve(self, total, len(messages))
        try:
            _write_at(file.path, offset, messages)
        except OSError as error:
            for _ in messages:
                self._area.let_go(file)
            raise _as_exhausted(error, file.path) from None
        places = []
        for message in messages:
            places.append(Place(self._area, file, offset, message.size))
            offset += message.size
        return places


def _messages(batches: Sequence[pa.RecordBatch]) -> list[pa.Buffer]:
    """Each batch as one encapsulated message. `RecordBatch.serialize` knows no compression, so these are cut out of streams."""
    messages = []
    for schema, run in groupby(batches, lambda batch: batch.schema):
        out = pa.BufferOutputStream()
        bounds = []
        with pa.ipc.new_stream(out, schema, options=_WRITE) as writer:
            for number, batch in enumerate(run):
                if number == 0:
                    writer.write_batch(batch.slice(0, 0))  # the schema goes out with the first batch: not with one of ours
                bounds.append(out.tell())
                writer.write_batch(batch)
            bounds.append(out.tell())
        written = out.getvalue()
        messages += [written.slice(start, end - start) for start, end in pairwise(bounds)]
    return messages


def _write_at(path: Path, offset: int, parts: Sequence[pa.Buffer]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for part in parts:
            left = memoryview(part)
            while left:
                written = os.pwrite(descriptor, left, offset)
                left = left[written:]
                offset += written
    finally:
        os.close(descriptor)


def _as_exhausted(error: OSError, path: Path) -> ResourceExhausted:
    what = "the disk is full" if error.errno in _NO_ROOM else f"the disk refused it ({error.strerror or error})"
    return ResourceExhausted(
        f"exchanged rows cannot be spilled to {path.parent}: {what}",
        hint="free room there, or choose another disk (exchange.directory), or raise exchange.memory",
    )

"""Where a process spills: a folder of its own, made when it is first needed, and gone with the process.

Handed channels' entries by their files; hands on room, up to a limit in bytes. What always holds: the folder belongs to one
incarnation of one process, which holds a lock on its owner mark for as long as it lives; so who finds the lock free knows that
the owner is gone, and may remove the folder, and nobody removes a living one's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
import weakref
from pathlib import Path

from flightmesh.config import ExchangeConfig
from flightmesh.errors import Cancelled, ResourceExhausted
from flightmesh.exchange.budget import format_bytes
from flightmesh.exchange.spill_files import ChannelFiles, SpillFile

PREFIX = "flightmesh-spill-"
UNBORN = "flightmesh-new-"
"""A folder that has this name is not locked yet: it takes its name once it is."""
OWNER = "owner"
UNBORN_SECONDS = 60.0
"""A folder that has been unlocked under that name for so long has lost its owner too."""


class SpillArea:
    """The spilled bytes of one incarnation. Any thread may call. `files`: that are there now."""

    def __init__(self, directory: Path | str | None = None, limit: int | None = None) -> None:
        """`directory` None: the system's folder for temporary files. `limit` None: half of what is free there at first use."""
        self.directory = Path(directory or tempfile.gettempdir())
        self.files = 0
        self._limit = limit
        self._bytes = 0
        self._folder: Path | None = None
        self._remove: weakref.finalize[..., object] | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """Bytes on disk now."""
        return self._bytes

    @property
    def limit(self) -> int | None:
        """Bytes that may lie on disk; None while that is not known yet."""
        return self._limit

    @property
    def folder(self) -> Path | None:
        """The folder, once something has been spilled."""
        return self._folder

    def channel(self, name: str) -> ChannelFiles:
        """Files for a channel; `name` makes theirs."""
        return ChannelFiles(self, name)

    def reserve(self, channel: ChannelFiles, size: int, places: int) -> tuple[SpillFile, int]:
        """Room for `size` bytes of `places` entries at the end of the channel's file: the file and the offset there. Raises
        ResourceExhausted past the limit."""
        with self._lock:
            folder = self._open()
            if self._limit is not None and self._bytes + size > self._limit:
                raise self._exhausted(size, self._limit)
            file = channel.current
            if file is None or file.is_full:
                file = channel.current = SpillFile(folder / f"{channel.name}-{channel.made}")
                channel.made += 1
                self.files += 1
            offset = file.size
            file.size += size
            file.live += places
            self._bytes += size
            return file, offset

    def hold(self, file: SpillFile) -> None:
        """One reading more."""
        with self._lock:
            file.live += 1

    def let_go(self, file: SpillFile) -> None:
        """One entry or reading less. The last one takes the file with it."""
        with self._lock:
            file.live -= 1
            file.freed += 1
            if file.live:
                return
            self._bytes -= file.size
            self.files -= 1
            file.is_gone = True
        with contextlib.suppress(FileNotFoundError):  # the write that was to make it failed, or the area was closed
            file.path.unlink()

    def close(self) -> None:
        """Removes everything. Repeating it is harmless."""
        with self._lock:
            self._is_closed = True
            if self._remove is not None:
                self._remove()

    def _open(self) -> Path:
        if self._is_closed:
            raise Cancelled("the exchange store is closed")
        if self._folder is None:
            sweep_stale(self.directory)
            self._folder, owner = _make_folder(self.directory)
            self._remove = weakref.finalize(self, _remove_folder, self._folder, owner)
            if self._limit is None:
                self._limit = shutil.disk_usage(self._folder).free // 2
        return self._folder

    def _exhausted(self, size: int, limit: int) -> ResourceExhausted:
        return ResourceExhausted(
            f"out of disk for exchanged rows: {format_bytes(size)} more are to be spilled, and {format_bytes(self._bytes)} "
            f"of the {format_bytes(limit)} allowed in {self.directory} are in use",
            hint="raise exchange.disk (bytes that may be spilled) or exchange.memory, or choose a larger disk "
            "(exchange.directory)",
        )


def spill_area(config: ExchangeConfig) -> SpillArea | None:
    """The area that a configuration describes; None where it allows no spilling. Touches no disk."""
    return None if config.disk == 0 else SpillArea(config.directory, config.disk)


def sweep_stale(directory: Path | str | None = None) -> tuple[Path, ...]:
    """Removes the folders in `directory` whose processes are gone; says which. Those of the living, of other users, and what is
    not a spill folder are left alone."""
    place = Path(directory or tempfile.gettempdir())
    swept = []
    for folder in (*place.glob(f"{PREFIX}*"), *place.glob(f"{UNBORN}*")):
        owner = _lock_of_the_dead(folder)
        if owner is not None:
            _remove_folder(folder, owner)
            swept.append(folder)
    return tuple(swept)


def _lock_of_the_dead(folder: Path) -> int | None:
    """The locked owner mark of a folder whose process is gone; None for any other."""
    try:
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid != os.geteuid():
            return None
        if folder.name.startswith(UNBORN) and time.time() - found.st_mtime < UNBORN_SECONDS:
            return None
        owner = os.open(folder / OWNER, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:  # removed meanwhile, or not ours to touch
        return None
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # its process lives
        os.close(owner)
        return None
    return owner


def _make_folder(directory: Path) -> tuple[Path, int]:
    """A new folder that is this process's, and its locked owner mark."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        unborn = Path(tempfile.mkdtemp(prefix=UNBORN, dir=directory))
        owner = os.open(unborn / OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(owner, f"{os.getpid()}\n".encode())
        folder = unborn.rename(directory / unborn.name.replace(UNBORN, PREFIX))
    except OSError as error:
        raise ResourceExhausted(
            f"exchanged rows cannot be spilled to {directory}: {error.strerror or error}",
            hint="set exchange.directory to a folder that can be written, or raise exchange.memory",
        ) from None
    return folder, owner


def _remove_folder(folder: Path, owner: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # what is left (a file just being written) the next sweep removes
    os.close(owner)

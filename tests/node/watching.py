"""Says whether anything below some folders was opened or listed, by inotify."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPENED = 0x20  # IN_OPEN, of a folder when it is listed
_ACCESSED = 0x1  # IN_ACCESS
_NONBLOCK = 0o4000
_EVENT = struct.Struct("iIII")


class Watch:
    """What has happened to the folders since it was last asked."""

    def __init__(self, handle: int, folders: dict[int, Path]) -> None:
        self._handle = handle
        self._folders = folders

    def seen(self) -> list[str]:
        """Paths that were opened or read, in order."""
        try:
            data = os.read(self._handle, 1 << 20)
        except BlockingIOError:
            return []
        found, at = [], 0
        while at < len(data):
            watch, _, _, length = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0").decode()
            found.append(str(self._folders[watch] / name))
            at += _EVENT.size + length
        return found


@contextmanager
def watching(*folders: Path) -> Iterator[Watch]:
    """Watches folders and the files in them."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(_NONBLOCK)
    assert handle >= 0, os.strerror(ctypes.get_errno())
    try:
        numbers = {libc.inotify_add_watch(handle, os.fsencode(folder), _OPENED | _ACCESSED): folder for folder in folders}
        assert min(numbers) > 0, os.strerror(ctypes.get_errno())
        yield Watch(handle, numbers)
    finally:
        os.close(handle)

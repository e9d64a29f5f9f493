"""Writes a local file whole or not at all.

Handed a path; hands on a stream. What always holds: a file appears under its name only when it is whole, and takes the place
of the file that links lead to; a pipe, a device or a socket is written into, never replaced; errors name the path asked for.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def is_stream(path: str | Path) -> bool:
    """Whether something is there that is neither a file nor a folder: a pipe, a device, a socket."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def replaceable(path: str | Path) -> Path:
    """The file that `path` means, links followed. Raises OSError when it is none, or may not be written."""
    place = Path(os.path.realpath(path))
    if is_stream(place):
        raise OSError(errno.EINVAL, "it is a pipe, a device or a socket, not a file", str(path))
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if place.exists() and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return place


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A stream into the pipe at `path`; or one whose content becomes the file there when the block ends well."""
    with _naming(path):
        if is_stream(path):
            with path.open("wb") as stream:
                yield stream
        else:
            with _beside(replaceable(path)) as stream:
                yield stream


@contextmanager
def _beside(place: Path) -> Iterator[IO[bytes]]:
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".flightmesh-", suffix=".partial")
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        partial.chmod(0o666 & ~_umask())
        keep_mode(place, partial)
        partial.replace(place)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def keep_mode(place: Path, partial: Path) -> None:
    """Gives a file the permissions of the one that it will replace."""
    if place.exists():
        shutil.copymode(place, partial)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Makes errors of the system name the path asked for. Nobody reading a pipe any more is not about its name."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current

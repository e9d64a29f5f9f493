"""Where bytes come from: the local disk or S3, behind pyarrow's file systems.

Handed a `Storage` and a path; hands on file systems, open inputs and file identities. What always holds: a file that is opened
for reading has the size and mtime that the table pinned, or `InputChanged` is raised.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from flightmesh.catalog.table import File, Storage
from flightmesh.errors import InputChanged, InvalidInput

LOCAL = Storage()
DAMAGE = (OSError, pa.ArrowException, UnicodeDecodeError)
"""What pyarrow raises over bytes that are not what their headers say."""
_S3_TEXT = {
    "access_key",
    "secret_key",
    "session_token",
    "region",
    "endpoint_override",
    "scheme",
    "proxy_options",
    "role_arn",
    "external_id",
}
_S3_FLAGS = {"anonymous", "force_virtual_addressing"}
_S3_NUMBERS = {"request_timeout", "connect_timeout"}


@lru_cache(maxsize=64)
def filesystem(storage: Storage) -> pafs.FileSystem:
    """The file system of a storage, made once. Raises InvalidInput for an unknown scheme or option."""
    if storage.scheme == "local":
        return pafs.LocalFileSystem()
    if storage.scheme == "s3":
        return pafs.S3FileSystem(**_s3_options(storage.options))
    raise InvalidInput(f"no storage is named {storage.scheme!r}", hint="paths are local, or s3://bucket/prefix")


def _s3_options(options: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in options:
        if name in _S3_TEXT:
            found[name] = value
        elif name in _S3_FLAGS:
            found[name] = value.lower() in ("true", "1", "yes")
        elif name in _S3_NUMBERS:
            found[name] = float(value)
        else:
            known = ", ".join(sorted(_S3_TEXT | _S3_FLAGS | _S3_NUMBERS))
            raise InvalidInput(f"S3 has no option {name!r}", hint=f"options are {known}")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint and "endpoint_override" not in found:
        found["endpoint_override"] = endpoint
    if "endpoint_override" in found:
        # An endpoint of one's own rarely answers for bucket.host names and never knows AWS's regions.
        found.setdefault("region", os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1")
    return found


def display(storage: Storage, path: str) -> str:
    """The path as a person would write it: local ones relative to the working directory where they lie in it."""
    if storage.scheme != "local":
        return f"{storage.scheme}://{path}"
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if here.parent != here and Path(path).is_relative_to(here) else path


def check_pinned(storage: Storage, file: File) -> None:
    """Raises InputChanged when the file is not the one that the table was opened on."""
    found = _identity(storage, file.path)
    if found == (file.size, file.mtime_ns):
        return
    name = display(storage, file.path)
    what = "is gone" if found is None else "has changed"
    raise InputChanged(f"{name} {what} since the query was planned", hint="run the query again")


def _identity(storage: Storage, path: str) -> tuple[int, int] | None:
    if storage.scheme == "local":
        try:
            status = Path(path).stat()
        except FileNotFoundError:
            return None
        return status.st_size, status.st_mtime_ns
    info = filesystem(storage).get_file_info(path)
    return None if info.type is pafs.FileType.NotFound else (info.size, info.mtime_ns or 0)


def open_file(storage: Storage, file: File) -> pa.NativeFile:
    """The file open for random access. Raises InputChanged if it is not the pinned one, InvalidInput if it cannot be read."""
    check_pinned(storage, file)
    try:
        if storage.scheme == "local":
            return pa.OSFile(file.path, "rb")
        return filesystem(storage).open_input_file(file.path)
    except OSError as error:
        raise unreadable(display(storage, file.path), error) from None


def map_file(storage: Storage, file: File) -> pa.NativeFile:
    """Like `open_file`, a local file mapped into memory.

    Arrow's IPC file reader reads through the IO pool, except from a buffer. (Parquet gains nothing from a map, and loses: a
    mapped file that is cut off while it is read ends the process, where an open one ends in an error.)
    """
    if storage.scheme != "local":
        return open_file(storage, file)
    check_pinned(storage, file)
    try:
        return pa.BufferReader(pa.memory_map(file.path, "rb").read_buffer())
    except OSError as error:
        raise unreadable(display(storage, file.path), error) from None


def unreadable(name: str, error: OSError) -> InvalidInput:
    """The error for a file or folder that the operating system or the store refuses to open."""
    if isinstance(error, PermissionError) or "ccess denied" in str(error).lower() or "ACCESS_DENIED" in str(error):
        return InvalidInput(f"{name} cannot be read: permission denied", hint="check who may read it, or run as its owner")
    reason = error.strerror or str(error)
    return InvalidInput(f"{name} cannot be read: {reason}", hint="check the path and the storage's credentials")

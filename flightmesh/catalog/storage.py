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
REFUSALS = (OSError, pa.ArrowInvalid)
"""What pyarrow's file systems raise over a path: that it cannot be read, and that it cannot be a path."""
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
_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give storage={'access_key': ..., 'secret_key': ...} "
    "({'anonymous': True} for public data)"
)


@lru_cache(maxsize=64)
def filesystem(storage: Storage) -> pafs.FileSystem:
    """The file system of a storage, made once. Raises InvalidInput for an unknown scheme, or options that do not fit."""
    if storage.scheme == "local":
        return pafs.LocalFileSystem()
    if storage.scheme == "s3":
        options = _s3_options(storage.options)
        try:
            return pafs.S3FileSystem(**options)
        except (ValueError, OSError) as error:  # pyarrow says which option is missing or wrong; ArrowInvalid is a ValueError
            raise InvalidInput(f"the storage options do not fit: {error}", hint=_CREDENTIALS) from None
    raise InvalidInput(f"no storage is named {storage.scheme!r}", hint="paths are local, or s3://bucket/prefix")


def _s3_options(options: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in options:
        if name in _S3_TEXT:
            found[name] = value
        elif name in _S3_FLAGS:
            found[name] = value.lower() in ("true", "1", "yes")
        elif name in _S3_NUMBERS:
            found[name] = _seconds(name, value)
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


def _seconds(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InvalidInput(f"the storage option {name} is a number of seconds, not {value!r}", hint="for instance 10") from None


def display(storage: Storage, path: str) -> str:
    """The path as a person would write it: local ones relative to the working directory where they lie in it."""
    if storage.scheme != "local":
        return f"{storage.scheme}://{path}"
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if here.parent != here and Path(path).is_relative_to(here) else path


def check_pinned(storage: Storage, file: File) -> None:
    """Raises InputChanged when the file is not the one that the table was opened on. A file pinned without a time (copies of it
    on several nodes have different ones) is known by its size alone."""
    found = _identity(storage, file.path)
    if found == (file.size, file.mtime_ns) or (found is not None and not file.mtime_ns and found[0] == file.size):
        return
    name = display(storage, file.path)
    what = "is gone" if found is None else "has changed"
    raise InputChanged(f"{name} {what} since the query was planned", hint="run the query again")


def _identity(storage: Storage, path: str) -> tuple[int, int] | None:
    if storage.scheme == "local":
        try:
            status = os.stat(path)  # noqa: PTH116 - making a Path takes as long, and each split looks
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unreadable(display(storage, path), error) from None
        return status.st_size, status.st_mtime_ns
    try:
        info = filesystem(storage).get_file_info(path)
    except REFUSALS as error:
        raise unreadable(display(storage, path), error) from None
    return None if info.type is pafs.FileType.NotFound else (info.size, info.mtime_ns or 0)


def open_file(storage: Storage, file: File) -> pa.NativeFile:
    """The file open for random access. Raises InputChanged if it is not the pinned one, InvalidInput if it cannot be read."""
    check_pinned(storage, file)
    try:
        if storage.scheme == "local":
            return pa.OSFile(file.path, "rb")
        return filesystem(storage).open_input_file(file.path)
    except REFUSALS as error:
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


def unreadable(name: str, error: OSError | pa.ArrowInvalid) -> InvalidInput:
    """The error for a file or folder that the operating system or the store refuses to open."""
    is_remote, text = name.startswith("s3://"), str(error)
    if isinstance(error, PermissionError) or "ccess denied" in text.lower() or "ACCESS_DENIED" in text:
        hint = _CREDENTIALS if is_remote else "check who may read it, or run as its owner"
        return InvalidInput(f"{name} cannot be read: permission denied", hint=hint)
    reason = (error.strerror if isinstance(error, OSError) else None) or text
    return InvalidInput(
        f"{name} cannot be read: {reason}", hint=f"check the path; {_CREDENTIALS}" if is_remote else "check the path"
    )

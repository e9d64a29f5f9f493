"""Finds the files of a source: one file, a folder, a glob (`**` too), a list of these, on the local disk or on S3.

Handed what a person wrote; hands on files pinned by size and mtime, in order of path. What always holds: hidden files (`.x`,
`_x`) inside folders are left out, and a source without files is an InvalidInput that says what was looked for.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow.fs as pafs

from flightmesh.catalog.storage import REFUSALS, display, filesystem, unreadable
from flightmesh.catalog.table import Storage
from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidInput

_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Found:
    """One file of a source."""

    path: str
    size: int
    mtime_ns: int


def find_files(storage: Storage, paths: Sequence[str]) -> tuple[Found, ...]:
    """The files of all `paths`, each found once. Raises InvalidInput where a path leads to none."""
    found: dict[str, Found] = {}
    for path in paths:
        for item in _expand(storage, path):
            found.setdefault(item.path, item)
    return tuple(found.values())


def find_present(storage: Storage, path: str) -> tuple[Found, ...]:
    """The files of one path now: none where the folder, or what a glob looks into, is there and has none. Raises InvalidInput
    where the path leads nowhere."""
    kind = _status(storage, path).type
    if kind is pafs.FileType.Directory:
        folder = path.rstrip("/") or "/"
        return tuple(_visible(_list(storage, folder, recursive=True), folder))
    if kind is pafs.FileType.NotFound and _MAGIC.search(path):
        return tuple(_matches(storage, path)[1])
    return find_files(storage, [path])


def linked_folders(path: str) -> Iterator[str]:
    """Links to folders that listing a local folder or glob would follow, each before what it leads to is looked at. For who
    must not look everywhere: he stops at one that leads outside."""
    start = _listed_below(path)
    waiting, seen = [start] if start else [], set[str]()
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:  # listing it will say why
            continue
        for entry in entries:
            if entry.is_symlink() and entry.is_dir():
                yield entry.path
            if entry.is_dir():
                waiting.append(entry.path)


def _listed_below(path: str) -> str:
    """The folder that a path, if it is one, or a glob is listed from; empty where nothing is listed in depth."""
    if os.path.isdir(path):  # noqa: PTH112  it is none, also where its name is too long to be looked for
        return path
    parts = path.split("/")
    fixed = next((number for number, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    is_deep = len(parts) - fixed > 1 or "**" in path
    return ("/".join(parts[:fixed]) or "/") if is_deep and fixed < len(parts) else ""


def _expand(storage: Storage, path: str) -> list[Found]:
    name = display(storage, path)
    if not path:
        raise InvalidInput("the path is empty", hint="give a file, a folder or a glob")
    status = _status(storage, path)
    if status.type is pafs.FileType.File:
        return [Found(path, status.size, status.mtime_ns or 0)]
    if status.type is pafs.FileType.Directory:
        return _folder(storage, path.rstrip("/") or "/")
    if _MAGIC.search(path):
        return _glob(storage, path)
    raise InvalidInput(f"{name} does not exist", hint=_nearest(storage, path))


def _status(storage: Storage, path: str) -> pafs.FileInfo:
    try:
        return filesystem(storage).get_file_info(path)
    except REFUSALS as error:
        raise unreadable(display(storage, path), error) from None


def _list(storage: Storage, folder: str, *, recursive: bool) -> list[pafs.FileInfo]:
    if storage.scheme == "local" and not os.access(folder, os.R_OK | os.X_OK):
        raise unreadable(folder, PermissionError(13, "Permission denied"))
    try:
        return list(filesystem(storage).get_file_info(pafs.FileSelector(folder, recursive=recursive)))
    except REFUSALS as error:
        raise unreadable(display(storage, folder), error) from None


def _folder(storage: Storage, folder: str) -> list[Found]:
    files = _visible(_list(storage, folder, recursive=True), folder)
    if not files:
        raise InvalidInput(
            f"{display(storage, folder)} has no data files", hint="hidden files and names that start with _ do not count"
        )
    return files


def _visible(entries: Iterable[pafs.FileInfo], folder: str) -> list[Found]:
    found = []
    for entry in entries:
        if entry.type is pafs.FileType.File and not any(_is_hidden(part) for part in _below(entry.path, folder).split("/")):
            found.append(Found(entry.path, entry.size, entry.mtime_ns or 0))
    return sorted(found, key=lambda item: item.path)


def _below(path: str, folder: str) -> str:
    return path.removeprefix(folder).lstrip("/")


def _is_hidden(part: str) -> bool:
    # A hive key may start with an underscore; a file such as _SUCCESS or _metadata has no `=`.
    return part.startswith(".") or (part.startswith("_") and "=" not in part)


def _glob(storage: Storage, pattern: str) -> list[Found]:
    folder, files = _matches(storage, pattern)
    if not files:
        raise InvalidInput(f"no file matches {display(storage, pattern)}", hint=_glob_hint(storage, folder))
    return files


def _matches(storage: Storage, pattern: str) -> tuple[str, list[Found]]:
    """The folder that a glob looks into, and the files that it finds there."""
    parts = pattern.split("/")
    fixed = next(number for number, part in enumerate(parts) if _MAGIC.search(part))
    folder = "/".join(parts[:fixed]) or "/"
    if _status(storage, folder).type is pafs.FileType.NotFound:
        raise InvalidInput(f"{display(storage, folder)} does not exist", hint=_nearest(storage, folder))
    deep = len(parts) - fixed > 1 or "**" in pattern
    match = re.compile(_glob_regex("/".join(parts[fixed:])))
    listed = _visible(_list(storage, folder, recursive=deep), folder)
    return folder, [item for item in listed if match.fullmatch(_below(item.path, folder))]


def _glob_hint(storage: Storage, folder: str) -> str:
    names = sorted(Path(entry.path).name for entry in _list(storage, folder, recursive=False))
    place = _place(storage, folder)
    if not names:
        return f"{place} is empty"
    return f"{place} has {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def _glob_regex(pattern: str) -> str:
    """The regular expression of a glob in which `*` and `?` stay inside one folder and `**` spans any number of folders."""
    result, position = "", 0
    while position < len(pattern):
        if pattern.startswith("**/", position):
            result += "(?:[^/]+/)*"
            position += 3
        elif pattern.startswith("**", position):
            result += ".*"
            position += 2
        elif pattern[position] == "[" and (end := pattern.find("]", position + 2)) > 0:
            inside = pattern[position + 1 : end].replace("\\", "\\\\")
            result += f"[{'^' + inside[1:] if inside.startswith('!') else inside}]"
            position = end + 1
        else:
            result += {"*": "[^/]*", "?": "[^/]"}.get(pattern[position]) or re.escape(pattern[position])
            position += 1
    return result


def _nearest(storage: Storage, path: str) -> str:
    """A hint for a path that is not there: the nearest existing names in the deepest folder of it that exists."""
    parent, _, wanted = path.rstrip("/").rpartition("/")
    while parent and _status(storage, parent).type is not pafs.FileType.Directory:
        parent, _, wanted = parent.rpartition("/")
    folder = parent or "/"
    if storage.scheme != "local" and not parent:
        return f"is {wanted!r} the right bucket, and are the credentials those of its owner?"
    names = [Path(entry.path).name for entry in _list(storage, folder, recursive=False)]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    if near:
        options = " or ".join(display(storage, f"{parent}/{name}" if parent else name) for name in near)
        return f"did you mean {options}?"
    return f"{_place(storage, folder)} has nothing named {wanted!r}"


def _place(storage: Storage, folder: str) -> str:
    name = display(storage, folder)
    return "the working directory" if name == "." else name

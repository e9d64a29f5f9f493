"""What of a machine's storage a mesh may read: the roots that the node's owner allowed.

Handed paths as people write them, or tables whose files were pinned elsewhere; hands on nothing, or raises NotAllowed. What
always holds: links and `..` are followed before a path is compared, so nothing outside the roots is listed, opened or
described; once any root is named, object stores are closed but for the prefixes named among them; what is secret of the mesh
is nobody's to read or write, whatever was allowed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from flightmesh.catalog.table import FileTable, Table
from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig, InvalidInput, NotAllowed
from flightmesh.trust.state import CA_KEY, TOKENS

_MAGIC = re.compile(r"[*?\[]")
_STORES = ("s3://", "s3a://")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LONGEST = 4095
STATE_FILES = (CA_KEY, TOKENS)
RELATIVE = (
    "a path on a mesh is the nodes': write it in full, or send a file of yours with session.upload(...) or, in a plan, "
    "`file: local`"
)


@dataclass(frozen=True, slots=True)
class Roots:
    """Allowed folders, as real paths, and prefixes in object stores. `folders` None: all, and all stores unless `buckets`
    says otherwise. `closed`: files and folders, as real paths, that are in no root."""

    folders: tuple[str, ...] | None = None
    buckets: tuple[str, ...] | None = None
    closed: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Whether every file of the machine may be read."""
        return self.folders is None and not self.closed

    def without(self, paths: Iterable[Path]) -> Roots:
        """The same, but for what is at or below these paths."""
        return replace(self, closed=(*self.closed, *(os.path.realpath(path) for path in paths)))

    def check_paths(self, paths: Sequence[str]) -> None:
        """Raises NotAllowed unless every path, folder or glob lies under a root; InvalidInput for a relative one."""
        for path in paths:
            if path.startswith(_STORES):
                self._check_bucket(path.partition("://")[2])
            else:
                self._check_folder(_fixed_part(_absolute(path)), path)

    def target(self, path: str) -> str:
        """A file or folder (with a slash at its end) that is to be written, as it was checked: opening the path as it was
        written might follow a link before its `..`. Raises NotAllowed, InvalidInput."""
        if path.startswith(_STORES):
            self._check_bucket(path.partition("://")[2])
            return path
        plain = _absolute(path)
        self._check_folder(plain, path)
        return plain + "/" if path.endswith("/") else plain

    def check_table(self, table: Table) -> None:
        """Raises NotAllowed unless every file of a table lies under a root. Tables in memory are nobody's files; those of a
        table that nodes serve are looked for by each in what it serves, and nowhere else."""
        if not isinstance(table, FileTable) or table.is_served:
            return
        if table.storage.scheme not in ("local", "s3"):
            raise NotAllowed(f"no node reads from {table.storage.scheme}://", hint="paths are files, or s3://bucket/prefix")
        for file in table.files:
            if table.storage.scheme == "s3":
                self._check_bucket(file.path)
            else:
                self._check_folder(_absolute(file.path), file.path)

    def _check_folder(self, path: str, written: str) -> None:
        if self.is_everything:
            return
        try:
            real = os.path.realpath(path)
        except OSError:  # a link of another's process, or one that no user may follow
            real = ""
        if any(_is_below(real, shut) for shut in self.closed) or _is_of_state(real):
            raise NotAllowed(f"{written} is in no root of this node: it may hold what is secret of the mesh")
        if self.folders is not None and not any(_is_below(real, root) for root in self.folders):
            raise NotAllowed(f"{written} is outside the roots of this node", hint=self._hint())

    def _check_bucket(self, path: str) -> None:
        if self.buckets is None and self.folders is None:
            return
        parts = path.split("/")
        inside = any(_is_below(path.rstrip("/"), root) for root in self.buckets or ())
        if not inside or ".." in parts or "." in parts:
            raise NotAllowed(f"s3://{path} is outside the roots of this node", hint=self._hint())

    def _hint(self) -> str:
        roots = [*(self.folders or ()), *(f"s3://{bucket}" for bucket in self.buckets or ())]
        return f"its owner allows {', '.join(roots)} (--allow-root)" if roots else "its owner allows no path (--allow-root)"


EVERYWHERE = Roots()


def read_roots(texts: Sequence[str]) -> Roots:
    """The roots written as `texts`: folders, or s3://bucket/prefix. Raises InvalidConfig for what is neither."""
    folders: list[str] = []
    buckets: list[str] = []
    for text in texts:
        if text.startswith(_STORES):
            buckets.append(text.partition("://")[2].strip("/"))
        elif Path(text).is_dir():
            folders.append(os.path.realpath(text))
        else:
            raise InvalidConfig(f"the root {text} is not a folder", hint="--allow-root takes a folder, or s3://bucket/prefix")
    return Roots(tuple(folders), tuple(buckets) or None)


def _absolute(path: str) -> str:
    if "\0" in path or len(os.fsencode(path)) > _LONGEST:
        raise InvalidInput("this cannot be a path: it has a NUL character, or is too long", hint="write the path in full")
    path = path.removeprefix("file://")
    scheme = _SCHEME.match(path)
    if scheme is not None:
        raise NotAllowed(f"no node reads from {scheme[1]}://", hint="paths are files, or s3://bucket/prefix")
    if not path.startswith("/"):
        raise InvalidInput(f"{path or 'an empty path'} is relative", hint=RELATIVE)
    # Path.resolve would follow links, and a glob's folders come before those.
    return os.path.normpath(path)


def _fixed_part(path: str) -> str:
    """The folder that a glob looks into; any other path whole."""
    found = _MAGIC.search(path)
    if found is None or os.path.exists(path):  # noqa: PTH110  it is not, also where its name is too long to be looked for
        return path
    return path[: path.rindex("/", 0, found.start()) + 1]


def _is_of_state(path: str) -> bool:
    """Whether a path is that of a mesh's state, or of a file in it, wherever its driver keeps it."""
    folders = (path, path.rpartition("/")[0])
    return any(all(os.path.exists(f"{folder}/{name}") for name in STATE_FILES) for folder in folders)  # noqa: PTH110  as above


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")

"""The tables that a worker serves from its own disk: what its owner offered, and which files that is now.

Handed `NAME=PATH` texts at the start, then questions of the driver and splits of tasks; hands on tables whose paths are
relative to what is served, and the same tables with this machine's paths for those who read here. What always holds: a path
that comes from elsewhere is opened only if it is one of the files that are served, and lies, links followed, below what was
offered; a link that leads outside refuses the table.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from flightmesh.catalog.listing import find_present, linked_folders
from flightmesh.catalog.open import open_table, untyped_columns
from flightmesh.catalog.storage import LOCAL
from flightmesh.catalog.table import SERVED, Copy, File, FileTable, Format
from flightmesh.dataclass import dataclass
from flightmesh.errors import InputChanged, InvalidConfig, NotAllowed
from flightmesh.protocol.asking import AskServed, Served
from flightmesh.protocol.node_messages import Serving

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Offer:
    """A file, folder or glob of this machine (`path`, absolute) that is served as table `name`."""

    name: str
    path: str
    copy: Copy = Copy.PART

    @property
    def folder(self) -> str:
        """The folder that its files are below: paths are relative to it."""
        if Path(self.path).is_dir():
            return self.path
        magic = _MAGIC.search(self.path)
        if magic is None or Path(self.path).exists():
            return str(Path(self.path).parent)
        return self.path[: self.path.rindex("/", 0, magic.start()) + 1]


def read_offers(parts: Sequence[str], replicas: Sequence[str]) -> tuple[Offer, ...]:
    """The offers written as `NAME=PATH`. Raises InvalidConfig for what is none, is offered twice, or is not there."""
    offers: dict[str, Offer] = {}
    for copy, texts in ((Copy.PART, parts), (Copy.REPLICA, replicas)):
        for text in texts:
            offer = _read_offer(text, copy)
            if offer.name.casefold() in offers:
                raise InvalidConfig(f"table {offer.name} is served twice", hint="one folder or glob a table, on each node")
            offers[offer.name.casefold()] = offer
    return tuple(offers.values())


def _read_offer(text: str, copy: Copy) -> Offer:
    name, found, path = text.partition("=")
    if not found or not path or not _NAME.fullmatch(name):
        raise InvalidConfig(
            f"{text!r} does not say what to serve",
            hint="write NAME=PATH: a name of letters, digits and _, and a file or folder",
        )
    offer = Offer(name, os.path.abspath(Path(path).expanduser()), copy)  # noqa: PTH100  links stay as they were written
    if not (Path(offer.path).exists() or (_MAGIC.search(offer.path) and Path(offer.folder).is_dir())):
        raise InvalidConfig(
            f"{path}, to be served as {name}, is not there", hint="give a file, a folder or a glob of this node"
        )
    return offer


class Offers:
    """All tables of a worker. Any thread may call."""

    def __init__(self, offers: Sequence[Offer] = ()) -> None:
        self._shelves = {offer.name.casefold(): _Shelf(offer) for offer in offers}

    def servings(self, node: str) -> tuple[Serving, ...]:
        """What a worker of the name `node` says when it registers."""
        return tuple(shelf.serving(node) for shelf in self._shelves.values())

    def answer(self, asked: AskServed) -> Served:
        """The files of a table as they are now. Raises NotAllowed, InvalidInput."""
        return self._shelf(asked.table).answer(asked.known)

    def localise(self, table: FileTable) -> FileTable:
        """A table (all its files served here) with this machine's paths. Raises NotAllowed for a path that is not served,
        InputChanged for one that is not any more."""
        shelf = self._shelf(table.source[0] if table.source else table.name)
        files = tuple(shelf.local(file) for file in table.files)
        return replace(table, storage=LOCAL, files=files, source=(), holders=())

    def _shelf(self, name: str) -> _Shelf:
        shelf = self._shelves.get(name.casefold())
        if shelf is None:
            raise NotAllowed(f"this node serves no table {name}", hint="its owner serves tables with --serve NAME=PATH")
        return shelf


class _Shelf:
    """One table."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._lock = threading.Lock()
        self._digest = ""
        self._table: FileTable | None = None
        self._names: frozenset[str] = frozenset()

    def serving(self, node: str) -> Serving:
        offer = self._offer
        home = _digest([node, socket.gethostname(), _text_of("/etc/machine-id"), os.path.realpath(offer.path)])
        return Serving(offer.name, offer.copy, self._place(), home)

    def answer(self, known: str) -> Served:
        with self._lock:
            digest = self._look()
            if digest == known:
                return Served(digest)
            if self._table is None:
                self._table = self._open()
            return Served(digest, self._table)

    def local(self, file: File) -> File:
        """A served file with its path on this machine; with its time too, where it was pinned without (a replica): what is
        remembered of a file is that of its time."""
        path = self._resolve(file.path)
        return replace(file, path=path, mtime_ns=file.mtime_ns or Path(path).stat().st_mtime_ns)

    def _resolve(self, name: str) -> str:
        with self._lock:
            if name not in self._names:
                self._look()
            if name not in self._names:
                raise InputChanged(f"{name} is not among the files of table {self._offer.name} that this node serves")
        path = str(Path(self._offer.folder, name))
        self._require_inside(path)
        return path

    def _look(self) -> str:
        """Lists the files; the digest of what is there."""
        found = self._list()
        digest = _digest([f"{path}\n{size}\n{time}" for path, size, time in found])
        if digest != self._digest:
            self._digest, self._table = digest, None
            self._names = frozenset(self._relative(path) for path, _, _ in found)
        return digest

    def _list(self) -> list[tuple[str, int, int]]:
        for link in linked_folders(self._offer.path):
            self._require_inside(link)
        found = find_present(LOCAL, self._offer.path)
        for item in found:
            self._require_inside(item.path)
        return [(item.path, item.size, item.mtime_ns) for item in found]

    def _open(self) -> FileTable:
        name = self._offer.name
        if not self._names:
            return FileTable(name, Format.PARQUET, SERVED, (), pa.schema([]), source=(name,))
        table = open_table(name, self._offer.path)
        for file in table.files:
            self._require_inside(file.path)
        files = tuple(replace(file, path=self._relative(file.path)) for file in table.files)
        untyped = untyped_columns(table)
        schema = pa.schema([entry.with_type(pa.null()) if entry.name in untyped else entry for entry in table.schema])
        return replace(table, storage=SERVED, files=files, source=(name,), schema=schema)

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self._offer.folder)

    def _require_inside(self, path: str) -> None:
        root = os.path.realpath(self._offer.folder)
        if not os.path.realpath(path).startswith(root.rstrip("/") + "/"):
            raise NotAllowed(
                f"{self._relative(path)} in table {self._offer.name} is a link that leads outside what this node serves",
                hint="remove the link, or serve the folder that it leads to",
            )

    def _place(self) -> str:
        """Equal for those who serve the same folder of the same machine, whatever they call it."""
        status = Path(self._offer.path).stat() if Path(self._offer.path).exists() else Path(self._offer.folder).stat()
        pattern = self._offer.path[len(self._offer.folder) :] if _MAGIC.search(self._offer.path) else ""
        return _digest([_text_of("/proc/sys/kernel/random/boot_id"), str(status.st_dev), str(status.st_ino), pattern])


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _text_of(path: str) -> str:
    """What identifies a machine, where it has that."""
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""

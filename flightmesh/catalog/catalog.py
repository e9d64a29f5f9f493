"""Names of a session: catalog.schema.name -> a table or a view.

Handed tables and views to remember and the parts of a name to look up; hands on what was registered. What always holds: names
differ by more than case, a name without catalog or schema means `memory.main`, a name here hides the same name in the catalog
behind this one, and every method may be called from any thread.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from flightmesh.catalog.named_files import NamedFiles, Source, files_of_query
from flightmesh.catalog.names import join_name
from flightmesh.catalog.open import open_files, refresh, reopen
from flightmesh.catalog.table import FileTable, Format, Storage, Table
from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidQuery

DEFAULT_CATALOG = "memory"
DEFAULT_SCHEMA = "main"


@dataclass(frozen=True, slots=True)
class View:
    """A named query, kept as the text that defined it and the dialect it is written in."""

    name: str
    text: str
    dialect: str


Entry: TypeAlias = Table | View


@dataclass(frozen=True, slots=True)
class Listing:
    """One registered name with what it stands for, for listings."""

    catalog: str
    schema: str
    name: str
    entry: Entry


_Key: TypeAlias = tuple[str, str, str]


class Files(Protocol):
    """Who looks at files for a catalog: this process, or the nodes of a mesh."""

    def open_files(self, named: NamedFiles) -> FileTable:
        """The table in files. Raises InvalidInput."""

    def refresh(self, table: FileTable) -> FileTable:
        """The table as its files are now: the same object while they have not changed. Raises InvalidInput."""

    def reopen(self, table: FileTable, named: NamedFiles) -> FileTable:
        """What `open_files` gives, of files that were `table` before: the same object while it would give its equal."""


class OwnFiles:
    """Files as this process sees them."""

    def open_files(self, named: NamedFiles) -> FileTable:
        """The table in files, opened here."""
        return open_files(named)

    def refresh(self, table: FileTable) -> FileTable:
        """The table as its files are here now."""
        return refresh(table)

    def reopen(self, table: FileTable, named: NamedFiles) -> FileTable:
        """The table in files, opened here unless they are those of `table`."""
        return reopen(table, named)


class Offered(Protocol):
    """Tables that nobody registered: nodes offer them. Their names are plain ones, in any case."""

    def names(self) -> tuple[str, ...]:
        """Their names now."""

    def find(self, name: str) -> FileTable | None:
        """One of them as last seen: `Files.refresh` has a look at it."""

    def forget(self, name: str) -> FileTable:
        """Forgets what nodes that are lost offered under a name. Raises InvalidQuery while others still do."""


class Catalog:
    """The tables and views of one session, over those of the mesh (`behind`), if it is part of one."""

    def __init__(
        self,
        storage: Storage | None = None,
        files: Files | None = None,
        behind: Catalog | None = None,
        offered: Offered | None = None,
    ) -> None:
        """`storage`: options for s3:// paths that queries name directly. `files`: who opens them (default: this process).
        `offered`: tables that are there without having been registered."""
        self._entries: dict[_Key, Listing] = {}
        self._lock = threading.Lock()
        self._storage = storage
        self._files: Files = files or OwnFiles()
        self._behind = behind
        self._offered = offered

    @property
    def shared(self) -> Catalog:
        """The catalog of the names that outlive a session: the one behind, or this one if there is none."""
        return self if self._behind is None else self._behind.shared

    def register(self, name: str | Sequence[str], entry: Entry) -> Entry | None:
        """Remembers `entry` under a name (its parts, or one string that is a plain name); returns what had the name before.

        Raises InvalidQuery for a name under which nodes offer a table."""
        self.require_free(name)
        parts = _qualify([name] if isinstance(name, str) else list(name))
        with self._lock:
            before = self._entries.get(_key(parts))
            self._entries[_key(parts)] = Listing(*parts, entry)
        return before.entry if before is not None else None

    def require_free(self, name: str | Sequence[str]) -> None:
        """Raises InvalidQuery for a name under which nodes offer a table to this catalog."""
        if self._offer([name] if isinstance(name, str) else list(name)) is not None:
            shown = name if isinstance(name, str) else ".".join(name)
            raise InvalidQuery(
                f"nodes of this mesh serve a table named {shown!r}", hint="take another name, or a view or temporary table"
            )

    def drop(self, name: str | Sequence[str]) -> Entry:
        """Forgets a name and returns what it stood for. Raises InvalidQuery for an unknown one."""
        parts = [name] if isinstance(name, str) else list(name)
        with self._lock:
            found = self._entries.pop(_key(_qualify(parts)), None)
        if found is not None:
            return found.entry
        if self._behind is not None and parts in self._behind:
            return self._behind.drop(parts)
        if self._offered is not None and self._offer(parts) is not None:
            return self._offered.forget(parts[-1])
        raise self._unknown(parts)

    def lookup(self, parts: str | Sequence[str]) -> Entry:
        """What a name of one to three parts stands for, a table in files as the files are now.

        Raises InvalidQuery with the nearest names for an unknown one, InvalidInput when the files are no longer readable.
        """
        entry = self.peek(parts)
        self._refuse_clash([parts] if isinstance(parts, str) else list(parts))
        if not isinstance(entry, FileTable):
            return entry
        current = self._files.refresh(entry)
        if current is not entry:
            self._update(parts, entry, current)
        return current

    def peek(self, parts: str | Sequence[str]) -> Entry:
        """What was registered under a name, without a look at its files. Raises InvalidQuery for an unknown name."""
        names = [parts] if isinstance(parts, str) else list(parts)
        found = self._find(names)
        if found is None:
            raise self._unknown(names)
        return found.entry

    def __contains__(self, parts: str | Sequence[str]) -> bool:
        """Whether a name is registered, here or behind."""
        return self._find([parts] if isinstance(parts, str) else list(parts)) is not None

    def owns(self, parts: str | Sequence[str]) -> bool:
        """Whether a name is registered or offered here."""
        if self._offer([parts] if isinstance(parts, str) else list(parts)) is not None:
            return True
        with self._lock:
            return _key(_qualify([parts] if isinstance(parts, str) else list(parts))) in self._entries

    def open_path(
        self, path: Source, format: Format | str | None = None, options: Mapping[str, str] | None = None
    ) -> FileTable:
        """The table in files that a query names itself. A relative path is relative to the working directory."""
        return self._files.open_files(self._stored(files_of_query(path, format, options)))

    def reopen_path(self, before: FileTable, named: NamedFiles) -> FileTable:
        """What `open_path` gives, of what gave `before` earlier: the same object while nothing has changed."""
        return self._files.reopen(before, self._stored(named))

    def open_files(self, named: NamedFiles) -> FileTable:
        """The table in files, under its name but not registered."""
        return self._files.open_files(named)

    def _stored(self, named: NamedFiles) -> NamedFiles:
        """Files that a query names, in the storage that this session has."""
        return replace(named, storage=self._storage)

    def copy(self) -> Catalog:
        """Another catalog with the same names; what is registered in one later is not seen in the other."""
        other = Catalog(self._storage, self._files, self._behind, self._offered)
        with self._lock:
            other._entries.update(self._entries)
        return other

    def tables(self) -> tuple[Listing, ...]:
        """All names, in order, each once."""
        with self._lock:
            own = dict(self._entries)
        if self._behind is not None:
            for listing in self._behind.tables():
                own.setdefault(_key((listing.catalog, listing.schema, listing.name)), listing)
        for name in self._offered.names() if self._offered is not None else ():
            table = self._offer([name])
            if table is not None:
                own.setdefault(_key(_qualify([name])), Listing(*_qualify([name]), table))
        return tuple(own[key] for key in sorted(own))

    def own(self) -> tuple[Listing, ...]:
        """The names registered here, in order."""
        with self._lock:
            return tuple(self._entries[key] for key in sorted(self._entries))

    def suggestions(self, parts: Sequence[str]) -> tuple[str, ...]:
        """Registered names that are near to a name, nearest first."""
        wanted = parts[-1].casefold()
        shown = {listing.name.casefold(): _shown(listing) for listing in self.tables()}
        return tuple(shown[name] for name in difflib.get_close_matches(wanted, shown, n=3, cutoff=0.6))

    def _update(self, parts: str | Sequence[str], old: Entry, new: Entry) -> None:
        """Puts `new` in the place of `old`, unless another thread has registered something else meanwhile."""
        key = _key(_qualify([parts] if isinstance(parts, str) else list(parts)))
        with self._lock:
            listing = self._entries.get(key)
            if listing is not None and listing.entry is old:
                self._entries[key] = replace(listing, entry=new)
                return
        if listing is None and self._behind is not None:
            self._behind._update(parts, old, new)

    def _find(self, parts: list[str]) -> Listing | None:
        with self._lock:
            found = self._entries.get(_key(_qualify(parts)))
        if found is None and self._behind is not None:
            found = self._behind._find(parts)
        if found is None and (offer := self._offer(parts)) is not None:
            found = Listing(*_qualify(parts), offer)
        return found

    def _offer(self, parts: list[str]) -> FileTable | None:
        if self._offered is None or _key(_qualify(parts))[:2] != (DEFAULT_CATALOG, DEFAULT_SCHEMA):
            return None
        return self._offered.find(parts[-1])

    def _refuse_clash(self, parts: list[str]) -> None:
        """A table that a node began to serve under a name that was registered already is not quietly left out."""
        with self._lock:
            is_own = _key(_qualify(parts)) in self._entries
        if is_own and self._offer(parts) is not None:
            raise InvalidQuery(
                f"{'.'.join(parts)!r} is registered in this mesh, and nodes serve a table of that name",
                hint="DROP what was registered, or have the nodes serve theirs under another name",
            )
        if not is_own and self._behind is not None:
            self._behind._refuse_clash(parts)

    def _unknown(self, parts: list[str]) -> InvalidQuery:
        near = self.suggestions(parts)
        if near:
            hint = f"did you mean {' or '.join(near)}?"
        else:
            known = [_shown(listing) for listing in self.tables()]
            hint = (
                f"tables are {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}" if known else "no table is registered"
            )
        return InvalidQuery(f"no table or view is named {'.'.join(parts)!r}", hint=hint)


def _qualify(parts: list[str]) -> tuple[str, str, str]:
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise InvalidQuery(
            f"{'.'.join(parts)!r} is not a table name", hint="a name is table, schema.table or catalog.schema.table"
        )
    filled = [DEFAULT_CATALOG, DEFAULT_SCHEMA][: 3 - len(parts)] + parts
    return filled[0], filled[1], filled[2]


def _key(parts: tuple[str, str, str]) -> _Key:
    return parts[0].casefold(), parts[1].casefold(), parts[2].casefold()


def _shown(listing: Listing) -> str:
    if (listing.catalog.casefold(), listing.schema.casefold()) == (DEFAULT_CATALOG, DEFAULT_SCHEMA):
        return join_name([listing.name])
    return join_name([listing.catalog, listing.schema, listing.name])

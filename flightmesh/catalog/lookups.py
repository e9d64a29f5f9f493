"""What one statement finds in a catalog, and whether a later one would find the same.

Handed the names and paths that a statement reads; hands on what they stand for, and afterwards all of it as a value. What
always holds: one statement sees a name or a path the same wherever it stands in it, since each is looked up once; whether
things are still as they were is asked of the catalog of whoever wants to know, just as planning would ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TypeVar

from flightmesh.catalog.catalog import Catalog, Entry, View
from flightmesh.catalog.named_files import NamedFiles, files_of_query
from flightmesh.catalog.table import FileTable
from flightmesh.dataclass import dataclass
from flightmesh.errors import FlightmeshError, InvalidQuery

T = TypeVar("T")
K = TypeVar("K", tuple[str, ...], NamedFiles)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a statement has found: `names` and `paths` with what they stood for, and names that stood for nothing."""

    names: Mapping[tuple[str, ...], Entry]
    paths: Mapping[NamedFiles, FileTable]
    unknown: tuple[tuple[str, ...], ...]

    def holds(self, now: Lookups) -> bool:
        """Whether a statement would find the same through `now`, which remembers what it has found meanwhile."""
        try:
            return (
                all(_same(now.lookup(parts), entry) for parts, entry in self.names.items())
                and all(_same(now.reopened(path, table), table) for path, table in self.paths.items())
                and not any(now.knows(parts) for parts in self.unknown)
            )
        except FlightmeshError:  # raised again where the statement is planned, with its place
            return False


@dataclass(slots=True)
class Lookups:
    """The names and paths of one statement (`frontend.sql.context.Names`)."""

    catalog: Catalog
    _names: dict[tuple[str, ...], Entry] = field(default_factory=dict)
    _paths: dict[NamedFiles, FileTable] = field(default_factory=dict)
    _errors: dict[tuple[str, ...] | NamedFiles, FlightmeshError] = field(default_factory=dict)

    def lookup(self, parts: tuple[str, ...]) -> Entry:
        """What a name stands for. Raises as `Catalog.lookup` does."""
        return self._once(self._names, parts, lambda: self.catalog.lookup(parts))

    def open_path(
        self, path: str | list[str], format: str | None = None, options: Mapping[str, str] | None = None
    ) -> FileTable:
        """The table in files. Raises as `Catalog.open_path` does."""
        named = files_of_query(path, format, options)
        return self._once(self._paths, named, lambda: self.catalog.open_path(path, format, options))

    def reopened(self, path: NamedFiles, before: FileTable) -> FileTable:
        """The same, for what was `before` when an earlier statement opened it."""
        return self._once(self._paths, path, lambda: self.catalog.reopen_path(before, path))

    @property
    def has_views(self) -> bool:
        """Whether a name stood for a view: what is in it has its place in another text."""
        return any(isinstance(entry, View) for entry in self._names.values())

    def knows(self, parts: tuple[str, ...]) -> bool:
        """Whether a name stands for something."""
        return parts in self.catalog

    def seen(self) -> Seen:
        """What has been found."""
        unknown = tuple(
            key for key, error in self._errors.items() if isinstance(error, InvalidQuery) and isinstance(key, tuple)
        )
        return Seen(dict(self._names), dict(self._paths), unknown)

    def _once(self, found: dict[K, T], key: K, find: Callable[[], T]) -> T:
        if key in self._errors:
            raise self._errors[key]
        if key not in found:
            try:
                found[key] = find()
            except FlightmeshError as error:
                self._errors[key] = error
                raise
        return found[key]


def _same(now: Entry, before: Entry) -> bool:
    return now is before or now == before

"""Files as a person names them, before anybody has looked whether they are there.

Handed paths and options in the forms that people write them in; hands on one value, which can be compared, kept and looked up
again. What always holds: nothing here opens a file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from flightmesh.catalog.table import Format, Storage
from flightmesh.dataclass import dataclass

Source: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """The files of a table `name`: in `paths` (files, folders, globs, or all s3:// URLs), of a `format` (None: their names tell
    it), with sorted options; `storage` is where s3:// paths are."""

    name: str
    paths: tuple[str, ...]
    format: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    storage: Storage | None = None


def named_files(
    name: str,
    source: Source,
    format: Format | str | None = None,
    options: Mapping[str, str] | None = None,
    storage: Storage | None = None,
) -> NamedFiles:
    """The files in `source` as a table of that name."""
    items = [source] if isinstance(source, str | os.PathLike) else source
    kind = format.value if isinstance(format, Format) else format
    return NamedFiles(name, tuple(os.fspath(item) for item in items), kind, tuple(sorted((options or {}).items())), storage)


def files_of_query(source: Source, format: Format | str | None = None, options: Mapping[str, str] | None = None) -> NamedFiles:
    """The files that a query names itself: the table has the name of its path, if that is one."""
    return named_files(source if isinstance(source, str) else "files", source, format, options)

"""Where the files of a table that nodes serve lie on this one.

Handed a table that came from the driver; hands on the same with paths of this machine. What always holds: tables that nobody
serves are what they are everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from flightmesh.catalog.table import FileSplit, FileTable
from flightmesh.errors import NotAllowed

LocalFiles: TypeAlias = Callable[[FileTable], FileTable]
"""Gives a table whose files are all served here its paths here. Raises NotAllowed for what is not served."""


def as_they_are(table: FileTable) -> FileTable:
    """Of a worker that serves nothing."""
    if table.is_served:
        raise NotAllowed(f"this node serves no table {table.name}")
    return table


def alone(table: FileTable, split: FileSplit) -> tuple[FileTable, FileSplit]:
    """A table of one split's file, and the split as one of it: nobody has to know where the other files lie."""
    return replace(table, files=(table.files[split.file],), holders=()), replace(split, file=0)

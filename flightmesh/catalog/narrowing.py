"""Leaves out of a split what cannot have a wanted value, by what is known of its rows without reading them.

Handed a split and, for some columns, a test of bounds; hands on the split with the row groups that are left, or None. What
always holds: what is not known may match; NULL is no wanted value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from flightmesh.catalog.formats import parquet
from flightmesh.catalog.partitions import partition_values
from flightmesh.catalog.pruning import Range, comparable
from flightmesh.catalog.table import FileSplit, FileTable, Format

MayHold: TypeAlias = Callable[[int, int], bool]
"""Whether a value from the first up to the second may be wanted; values as the integers that they are stored as."""


def narrowed(table: FileTable, split: FileSplit, columns: Mapping[str, MayHold]) -> FileSplit | None:
    """The part of a split of a table in files that may have wanted values in all of `columns`."""
    constants = partition_values(table, split.file)
    for name in columns.keys() & constants.keys():
        if not _may_match(Range.constant(constants[name]), columns[name]):
            return None
    if table.format is not Format.PARQUET or not split.pieces:
        return split
    known = parquet.footer(table.storage, table.files[split.file])
    ranges = {
        name: known.column(name, table.schema.field(name).type).ranges
        for name in columns
        if name not in constants and known.has(name)
    }
    pieces = tuple(
        group for group in split.pieces if all(_may_match(each[group], columns[name]) for name, each in ranges.items())
    )
    if len(pieces) == len(split.pieces):
        return split
    if not pieces:
        return None
    return replace(
        split,
        pieces=pieces,
        rows=sum(known.rows[group] for group in pieces),
        bytes=sum(known.bytes[group] for group in pieces),
    )


def _may_match(known: Range, may_hold: MayHold) -> bool:
    if not known.may_have_values:
        return False
    if known.minimum is None or known.maximum is None:
        return True
    low, high = comparable(known.minimum), comparable(known.maximum)
    return not (isinstance(low, int) and isinstance(high, int)) or may_hold(low, high)

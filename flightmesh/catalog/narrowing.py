"""Leaves out of a split what cannot have a wanted row, by what is known of its rows without reading them.

Handed a split and, for some columns, a test of ranges; hands on the split with the row groups that are left, or None. What
always holds: what is not known may match.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from flightmesh.catalog.formats import parquet
from flightmesh.catalog.partitions import partition_values
from flightmesh.catalog.pruning import NULLS, Range, comparable
from flightmesh.catalog.table import FileSplit, FileTable, Format

MayHold: TypeAlias = Callable[[int, int], bool]
"""Whether a value from the first up to the second may be wanted; values as the integers that they are stored as."""
MayMatch: TypeAlias = Callable[[Range], bool]
"""Whether a row whose value lies in a range may be wanted."""


def values_in(may_hold: MayHold) -> MayMatch:
    """The test of ranges for wanted values; NULL is none."""
    return lambda known: _may_hold(known, may_hold)


def narrowed(table: FileTable, split: FileSplit, columns: Mapping[str, MayMatch]) -> FileSplit | None:
    """The part of a split of a table in files that may have wanted values in all of `columns`."""
    constants = partition_values(table, split.file)
    for name in columns.keys() & constants.keys():
        if not columns[name](Range.constant(constants[name])):
            return None
    if table.format is not Format.PARQUET or not split.pieces:
        return split
    known = parquet.footer(table.storage, table.files[split.file])
    stored = {name: test for name, test in columns.items() if name not in constants}
    if not all(test(NULLS) for name, test in stored.items() if not known.has(name)):
        return None  # a column that a file does not have is NULL in all of its rows
    ranges = [
        (test, known.column(name, table.schema.field(name).type).ranges) for name, test in stored.items() if known.has(name)
    ]
    pieces = tuple(group for group in split.pieces if all(test(each[group]) for test, each in ranges))
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


def _may_hold(known: Range, may_hold: MayHold) -> bool:
    if not known.may_have_values:
        return False
    if known.minimum is None or known.maximum is None:
        return True
    low, high = comparable(known.minimum), comparable(known.maximum)
    return not (isinstance(low, int) and isinstance(high, int)) or may_hold(low, high)

"""Which rows come first in an order, by what is known of them without reading: for scans whose first rows alone are wanted.

Handed ranges of a column and how it is ordered; hands on splits with the most promising first, and whether rows in a range may
still come before a bound. What always holds: what is not known may come first; NaN is the greatest number, and statistics do
not tell of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from flightmesh.catalog.formats import parquet
from flightmesh.catalog.partitions import partition_values
from flightmesh.catalog.pruning import NULLS, Range, comparable
from flightmesh.catalog.table import FileSplit, FileTable, Format
from flightmesh.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Promise:
    """How rows are wanted: by the column `name` (of a table), descending or not, NULLs first or last."""

    name: str
    descending: bool = False
    nulls_first: bool = False

    def may_precede(self, known: Range, bound: pa.Scalar, ties: bool) -> bool:
        """Whether a row in this range may come before `bound`, or, where `ties` count, be equal to it."""
        if self.nulls_first and known.may_be_null:
            return bound.is_valid or ties
        if not bound.is_valid:
            return not self.nulls_first and (known.may_have_values or ties)
        if not known.may_have_values:
            return False
        best = self._best(known)
        last = comparable(bound)
        if best is None or last is None or (self.descending and isinstance(last, float)):
            return True
        return bool((best > last if self.descending else best < last) or (ties and best == last))

    def _best(self, known: Range) -> Any:
        end = known.maximum if self.descending else known.minimum
        return None if end is None else comparable(end)

    def in_order(self, table: FileTable, splits: Iterable[FileSplit]) -> tuple[FileSplit, ...]:
        """Splits of a table in files: first those that may have NULLs, where these come first; then by their best value; then
        those of which nothing is known; else as they are."""
        nulls: list[FileSplit] = []
        known: list[tuple[Any, FileSplit]] = []
        unknown: list[FileSplit] = []
        for split in splits:
            ranges = _ranges(table, split, self.name)
            best = [self._best(each) for each in ranges if each.may_have_values]
            if self.nulls_first and any(each.may_be_null for each in ranges):
                nulls.append(split)
            elif not best or None in best:
                unknown.append(split)
            else:
                known.append((max(best) if self.descending else min(best), split))
        known.sort(key=lambda each: each[0], reverse=self.descending)
        return (*nulls, *(split for _, split in known), *unknown)


def _ranges(table: FileTable, split: FileSplit, name: str) -> list[Range]:
    """What is known of a column in the parts of a split; one range where it has no parts."""
    constants = partition_values(table, split.file)
    if name in constants:
        return [Range.constant(constants[name])]
    if table.format is not Format.PARQUET:
        return [Range()]
    footer = parquet.footer(table.storage, table.files[split.file])
    if not footer.has(name):
        return [NULLS]
    ranges = footer.column(name, table.schema.field(name).type).ranges
    return [ranges[group] for group in split.pieces]

"""The dynamic filters of a scan, as one task applies them: to splits before they are read, to batches before they are decoded.

Handed the filters that joins of the fragment have made; hands on narrower splits and masks of rows. What always holds: a filter
that is not there, or that lets most rows pass, is left out; what each of them spared is counted in the scan's metrics, by its
number.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from flightmesh.catalog.narrowing import MayMatch, values_in
from flightmesh.catalog.table import FileSplit, Split
from flightmesh.dataclass import dataclass
from flightmesh.fragment.site import Site
from flightmesh.kernel.key_filter import KeyFilter
from flightmesh.kernel.values import Mask
from flightmesh.physical.operators import DynamicFilter, TableScan

TRIED_ROWS = 65_536
"""After so many rows it is looked at how many a filter lets pass,"""
MOST_PASSING = 0.7
"""and one that let more than this share pass looks at no more rows."""
FEW = 0.5
"""Where at most this share of a batch's rows is left, the next filter looks at those alone."""

ROWS_SPARED = "rows_pruned_by_f"
GROUPS_SPARED = "row_groups_pruned_by_f"
"""Details of a scan, each with a filter's number behind it: rows that it dropped, row groups that it spared from reading."""


@dataclass(slots=True)
class _Applied:
    """A filter and what it did: rows that it looked at, and those that it let pass."""

    plan: DynamicFilter
    keys: KeyFilter
    seen: int = 0
    passed: int = 0

    @property
    def is_worth_it(self) -> bool:
        """Whether it drops enough rows for what it costs, as far as is known."""
        return self.seen < TRIED_ROWS or self.passed <= MOST_PASSING * self.seen


class ScanFilters:
    """What one task's scan applies."""

    def __init__(self, scan: TableScan, site: Site) -> None:
        self._scan = scan
        self._site = site
        self._names = {field.id: field.name for field in scan.columns}
        self._applied: list[_Applied] = []
        self._missing = list(scan.dynamic)

    def wait(self) -> None:
        """Waits for the filters of other stages that are worth it. Nothing need be there after it."""
        awaited = [plan for plan in self._scan.dynamic if plan.wait > 0]
        if awaited:
            self._site.context.await_keys([plan.number for plan in awaited], max(plan.wait for plan in awaited))

    def narrowed(self, split: Split) -> Split | None:
        """The part of a split that may have rows which pass."""
        self._look()
        left: Split | None = split
        for applied in self._applied:
            if left is None or not applied.keys.ordered:
                continue
            before = left
            tests: dict[str, MayMatch] = {self._names[applied.plan.column.id]: values_in(applied.keys.may_hold)}
            left = self._site.context.narrowed(self._scan.table, before, tests)
            spared = groups_of(before) - (0 if left is None else groups_of(left))
            if spared:
                self._site.metrics.count(f"{GROUPS_SPARED}{applied.plan.number}", spared)
        return left

    def mask(self, batch: pa.RecordBatch) -> Mask | None:
        """Which rows of a batch pass; None when all may."""
        if self._missing:
            self._look()
        mask: Mask | None = None
        left = batch.num_rows
        for applied in self._applied:
            if not applied.is_worth_it:
                continue
            column, before = batch.column(applied.plan.column.key), left
            if mask is not None and left <= FEW * len(column):
                rows = np.flatnonzero(mask)
                passed = applied.keys.passes(column.take(pa.array(rows)))
                mask = np.zeros(len(column), np.bool_)
                mask[rows[passed]] = True
                left = int(np.count_nonzero(passed))
            else:
                passed = applied.keys.passes(column)
                mask = passed if mask is None else mask & passed
                left = int(np.count_nonzero(mask))
            self._note(applied, before, left)
        return mask

    def _note(self, applied: _Applied, seen: int, passed: int) -> None:
        applied.seen += seen
        applied.passed += passed
        if seen > passed:
            self._site.metrics.count(f"{ROWS_SPARED}{applied.plan.number}", seen - passed)

    def _look(self) -> None:
        """Takes in the filters that have come, the most selective first."""
        for plan in list(self._missing):
            keys = self._site.filters.get(plan.number) or self._site.context.key_filter(plan.number)
            if keys is not None:
                self._missing.remove(plan)
                self._applied.append(_Applied(plan, keys))
        self._applied.sort(key=lambda applied: applied.plan.share)


def groups_of(split: Split) -> int:
    """Row groups of a split; 1 for what is no Parquet file."""
    return max(1, len(split.pieces)) if isinstance(split, FileSplit) else 1

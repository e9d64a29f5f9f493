"""The bound of a TopRows as the scan below it applies it, in one task: to splits before they are read, to rows before they are
gathered.

Handed the bound; hands on narrower splits and masks of rows. What always holds: a row that could still be among the first is
never left out.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa

from flightmesh.catalog.promise import Promise
from flightmesh.catalog.table import Split
from flightmesh.expression.nodes import Column
from flightmesh.fragment.dynamic_filters import groups_of
from flightmesh.fragment.site import Site
from flightmesh.fragment.top_bound import TopBound
from flightmesh.kernel.values import Mask, unpack_bits
from flightmesh.physical.operators import TableScan

ROWS_BEHIND = "rows_pruned_by_top"
GROUPS_BEHIND = "row_groups_pruned_by_top"
"""Details of a scan: rows that it dropped, and row groups that it did not read, because they come after the first rows."""


class BoundedScan:
    """The bound as one task's scan applies it."""

    def __init__(self, scan: TableScan, column: Column, promise: Promise, bound: TopBound, site: Site) -> None:
        self._scan = scan
        self._column = column
        self._promise = promise
        self._bound = bound
        self._site = site
        self._drops_rows = pa.types.is_primitive(self._column.type)

    def narrowed(self, split: Split) -> Split | None:
        """The part of a split that may have rows among the first."""
        last = self._bound.last
        if last is None:
            return split
        tests = {self._promise.name: partial(self._promise.may_precede, bound=last, ties=self._bound.ties)}
        left = self._site.context.narrowed(self._scan.table, split, tests)
        spared = groups_of(split) - (0 if left is None else groups_of(left))
        if spared:
            self._site.metrics.count(GROUPS_BEHIND, spared)
        return left

    def mask(self, batch: pa.RecordBatch) -> Mask | None:
        """Which rows of a batch may be among the first; None when all may, or telling would take long."""
        if not self._drops_rows:
            return None
        found = self._bound.may_be_first(batch.column(self._column.key))
        if found is None:
            return None
        mask = unpack_bits(found)
        dropped = len(mask) - int(np.count_nonzero(mask))
        if dropped:
            self._site.metrics.count(ROWS_BEHIND, dropped)
        return mask


def bounded(scan: TableScan, site: Site) -> BoundedScan | None:
    """How a scan applies the bound of the TopRows above it, if there is one."""
    if scan.first is None or scan.promise is None or site.bound is None:
        return None
    return BoundedScan(scan, scan.first.column, scan.promise, site.bound, site)

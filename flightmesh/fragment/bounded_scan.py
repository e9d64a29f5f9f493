"""The bound of a TopRows as the scan below it applies it, in one task, to splits before they are read.

Handed the bound; hands on narrower splits. (Rows behind it are dropped by the TopRows: dropping them here saved nothing.) What
always holds: a row that could still be among the first is never left out.
"""

from __future__ import annotations

from functools import partial

from flightmesh.catalog.promise import Promise
from flightmesh.catalog.table import Split
from flightmesh.fragment.dynamic_filters import groups_of
from flightmesh.fragment.site import Site
from flightmesh.fragment.top_bound import TopBound
from flightmesh.physical.operators import TableScan

GROUPS_BEHIND = "row_groups_pruned_by_top"
"""A detail of a scan: row groups that it did not read because they come after the first rows."""


class BoundedScan:
    """The bound as one task's scan applies it."""

    def __init__(self, scan: TableScan, promise: Promise, bound: TopBound, site: Site) -> None:
        self._scan = scan
        self._promise = promise
        self._bound = bound
        self._site = site

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


def bounded(scan: TableScan, site: Site) -> BoundedScan | None:
    """How a scan applies the bound of the TopRows above it, if there is one."""
    promise = scan.promise
    return None if promise is None or site.bound is None else BoundedScan(scan, promise, site.bound, site)

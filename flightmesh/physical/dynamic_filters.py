"""Dynamic filters: where the keys of a join's build side can spare scans below its probe side rows that find no partner.

Handed a join with the share of probe rows that is expected to find one; hands on the join with the filters that its build makes
and the scans that apply them. What always holds: a filter only drops rows that the join would drop, whatever lies between; a
scan applies as much of it as it knows, so nothing has to wait for it.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.expression.nodes import Column
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import JoinKind
from flightmesh.physical.operators import (
    DynamicFilter,
    Exchange,
    ExpandSets,
    FilterRows,
    GroupBy,
    HashJoin,
    IterateRows,
    LimitRows,
    Operator,
    ProjectColumns,
    ReadExchange,
    SortRows,
    TableScan,
    TopOfGroups,
    TopRows,
    UnionRows,
    UnnestRows,
    ValuesRows,
    WindowRows,
    WorkingRows,
)
from flightmesh.physical.planned import Planning
from flightmesh.physical.recursion import turning

DROPS_UNMATCHED = (JoinKind.INNER, JoinKind.SEMI, JoinKind.RIGHT)
"""Kinds that give nothing for a probe row without a partner."""
MOST_KEPT = 0.6
"""A filter is made where at most this share of the rows is expected to pass it."""
MOST_FAR_KEYS = 250_000
"""Rows of a build whose keys are told to scans of other stages."""
WAITED_FOR_SHARE, WAITED_FOR_ROWS = 0.25, 100_000
"""A scan of another stage waits for a filter that is expected to keep at most this share, of at most so many build rows,"""
WAIT_SECONDS = 0.3
"""and for no longer: what it may spare is not much more;"""
LEAST_AWAITING_ROWS = 200_000
"""nor where it gives fewer rows than so many: it is soon done without."""


def with_dynamic_filters(join: HashJoin, share: float, planning: Planning) -> HashJoin:
    """The join, its build making filters, and the scans below its probe side that apply them."""
    if not may_filter(join.kind, share, planning):
        return join
    far = isinstance(join.build, Exchange) and (join.build.estimate or 0) <= MOST_FAR_KEYS
    waits = share <= WAITED_FOR_SHARE and (getattr(join.build, "estimate", None) or 0) <= WAITED_FOR_ROWS
    for pair in join.keys:
        if pair.null_safe or not _is_comparable(pair.build.type):
            continue
        made = DynamicFilter(planning.filters, pair.build, share)
        push = _Push(made, WAIT_SECONDS if waits else 0.0, far)
        pushed = push.below(join.probe, pair.probe.id)
        if pushed is not None:
            if turning(join):  # what is scanned is kept from turn to turn, and the keys are not
                return join
            planning.filters += 1
            join = replace(join, probe=pushed, dynamic=(*join.dynamic, made) if push.is_near else join.dynamic)
            if push.is_far and isinstance(join.build, Exchange):
                join = replace(join, build=replace(join.build, filters=(*join.build.filters, made)))
    return join


def may_filter(kind: JoinKind, share: float, planning: Planning) -> bool:
    """Whether a join of this kind, which is expected to find partners for this share of its probe rows, is worth filters."""
    return planning.config.planner.dynamic_filters and kind in DROPS_UNMATCHED and share <= MOST_KEPT


def _is_comparable(kind: pa.DataType) -> bool:
    """Whether keys of this type make a filter: those of two values would be no help, and a nested one has no hash."""
    types = pa.types
    return not (types.is_nested(kind) or types.is_boolean(kind) or types.is_null(kind) or types.is_interval(kind))


class _Push:
    """One filter on its way down. `is_near`, `is_far`: whether scans of the join's stage apply it, and of others."""

    def __init__(self, keys: DynamicFilter, wait: float, may_be_far: bool) -> None:
        self.is_near = False
        self.is_far = False
        self._keys = keys
        self._wait = wait
        self._may_be_far = may_be_far
        self._crossed = 0

    def below(self, node: Operator, column: ColumnId) -> Operator | None:
        """The operator with the scans below it that give its column `column` filtered; None where there are none."""
        match node:
            case TableScan():
                return self._at_scan(node, column)
            case ProjectColumns():
                passed = next((item.expression for item in node.items if item.field.id == column), None)
                return self._at_input(node, passed.id) if isinstance(passed, Column) else None
            case FilterRows() | SortRows():
                return self._at_input(node, column)
            case GroupBy():
                return self._at_input(node, column) if any(key.id == column for key in node.keys) else None
            case WindowRows():
                return self._at_input(node, column) if any(key.id == column for key in node.partition) else None
            case TopOfGroups():
                return self._at_input(node, column) if any(key.id == column for key in node.groups) else None
            case HashJoin():
                return self._through_join(node, column)
            case UnionRows():
                return self._through_union(node, column)
            case Exchange():
                return self._through_exchange(node, column)
            case UnnestRows():
                return self._at_input(node, column) if any(f.id == column for f in node.input.fields) else None
            case ExpandSets() | LimitRows() | ReadExchange() | TopRows() | ValuesRows():
                return None
            case IterateRows() | WorkingRows():  # the rows of a turn make those of the next
                return None

    def _at_scan(self, scan: TableScan, column: ColumnId) -> TableScan | None:
        """A scan with a limit may give any of its rows, so which ones there are matters."""
        found = next((field for field in scan.columns if field.id == column), None)
        if found is None or scan.limit is not None:
            return None
        if self._crossed:
            self.is_far = True
        else:
            self.is_near = True
        waits = self._crossed and (scan.estimate or 0) >= LEAST_AWAITING_ROWS
        keys = replace(self._keys, column=found.column(), wait=self._wait if waits else 0.0)
        return replace(scan, dynamic=(*scan.dynamic, keys))

    def _at_input(
        self,
        node: ProjectColumns | FilterRows | SortRows | GroupBy | WindowRows | TopOfGroups | UnnestRows | Exchange,
        column: ColumnId,
    ) -> Operator | None:
        pushed = self.below(node.input, column)
        return None if pushed is None else replace(node, input=pushed)

    def _through_exchange(self, node: Exchange, column: ColumnId) -> Operator | None:
        """What a shared relation gives others read, too."""
        if node.shared is not None or not self._may_be_far:
            return None
        self._crossed += 1
        pushed = self._at_input(node, column)
        self._crossed -= 1
        return pushed

    def _through_join(self, join: HashJoin, column: ColumnId) -> HashJoin | None:
        """What a probe row becomes depends on no other, so of any kind fewer probe rows only give fewer rows (rows for build
        rows without a partner have NULL where the probe's columns are). Its partners have its keys, so a filter of a key holds
        for both sides; other columns of the build side are filtered where it only adds to rows that match."""
        pair = next((pair for pair in join.keys if column in (pair.probe.id, pair.build.id)), None)
        inner = join.kind is JoinKind.INNER
        if pair is not None and (inner or (column == pair.probe.id and not join.null_aware)):
            probe = self.below(join.probe, pair.probe.id)
            build = self.below(join.build, pair.build.id) if inner or probe is not None else None
        else:
            probe = self.below(join.probe, column)
            build = self.below(join.build, column) if inner and probe is None else None
        if probe is None and build is None:
            return None
        return replace(join, probe=probe or join.probe, build=build or join.build)

    def _through_union(self, union: UnionRows, column: ColumnId) -> UnionRows | None:
        place = next((place for place, field in enumerate(union.fields) if field.id == column), None)
        if place is None:
            return None
        pushed = [self.below(part, part.fields[place].id) for part in union.inputs]
        if not any(part is not None for part in pushed):
            return None
        return replace(union, inputs=tuple(new or old for new, old in zip(pushed, union.inputs, strict=True)))

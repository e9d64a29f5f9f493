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
    TopRows,
    UnionRows,
    UnnestRows,
    ValuesRows,
    WindowRows,
    WorkingRows,
)
from flightmesh.physical.planned import Planning

DROPS_UNMATCHED = (JoinKind.INNER, JoinKind.SEMI, JoinKind.RIGHT)
"""Kinds that give nothing for a probe row without a partner."""
MOST_KEPT = 0.6
"""A filter is made where at most this share of the rows is expected to pass it."""


def with_dynamic_filters(join: HashJoin, share: float, planning: Planning) -> HashJoin:
    """The join, its build making filters, and the scans below its probe side that apply them."""
    if not planning.config.planner.dynamic_filters or join.kind not in DROPS_UNMATCHED or share > MOST_KEPT:
        return join
    probe = join.probe
    made: list[DynamicFilter] = []
    for pair in join.keys:
        if pair.null_safe or not _is_comparable(pair.build.type):
            continue
        keys = DynamicFilter(planning.filters, pair.build, share)
        pushed = _pushed(probe, pair.probe.id, keys)
        if pushed is not None:
            probe = pushed
            made.append(replace(keys, number=planning.fresh_filter()))
    return replace(join, probe=probe, dynamic=tuple(made)) if made else join


def _is_comparable(kind: pa.DataType) -> bool:
    """Whether keys of this type make a filter: those of two values would be no help, and a nested one has no hash."""
    types = pa.types
    return not (types.is_nested(kind) or types.is_boolean(kind) or types.is_null(kind) or types.is_interval(kind))


def _pushed(node: Operator, column: ColumnId, keys: DynamicFilter) -> Operator | None:
    """The operator with the scans below it that give its column `column` filtered; None where there are none."""
    match node:
        case TableScan():
            return _at_scan(node, column, keys)
        case ProjectColumns():
            passed = next((item.expression for item in node.items if item.field.id == column), None)
            return _below(node, passed.id, keys) if isinstance(passed, Column) else None
        case FilterRows() | SortRows():
            return _below(node, column, keys)
        case GroupBy():
            return _below(node, column, keys) if any(key.id == column for key in node.keys) else None
        case WindowRows():
            return _below(node, column, keys) if any(key.id == column for key in node.partition) else None
        case HashJoin():
            return _through_join(node, column, keys)
        case UnionRows():
            return _through_union(node, column, keys)
        case UnnestRows():
            return _below(node, column, keys) if any(f.id == column for f in node.input.fields) else None
        case Exchange() | ExpandSets() | LimitRows() | ReadExchange() | TopRows() | ValuesRows():
            return None
        case IterateRows() | WorkingRows():  # the rows of a turn make those of the next
            return None


def _at_scan(scan: TableScan, column: ColumnId, keys: DynamicFilter) -> TableScan | None:
    """A scan with a limit may give any of its rows, so which ones there are matters."""
    found = next((field for field in scan.columns if field.id == column), None)
    if found is None or scan.limit is not None:
        return None
    return replace(scan, dynamic=(*scan.dynamic, replace(keys, column=found.column())))


def _below(
    node: ProjectColumns | FilterRows | SortRows | GroupBy | WindowRows | UnnestRows, column: ColumnId, keys: DynamicFilter
) -> Operator | None:
    pushed = _pushed(node.input, column, keys)
    return None if pushed is None else replace(node, input=pushed)


def _through_join(join: HashJoin, column: ColumnId, keys: DynamicFilter) -> HashJoin | None:
    """What a probe row becomes depends on no other, so of any kind fewer probe rows only give fewer rows (rows for build rows
    without a partner have NULL where the probe's columns are). Its partners have its keys, so a filter of a key holds for both
    sides; other columns of the build side are filtered where it only adds to rows that match."""
    pair = next((pair for pair in join.keys if column in (pair.probe.id, pair.build.id)), None)
    inner = join.kind is JoinKind.INNER
    if pair is not None and (inner or (column == pair.probe.id and not join.null_aware)):
        probe = _pushed(join.probe, pair.probe.id, keys)
        build = _pushed(join.build, pair.build.id, keys) if inner or probe is not None else None
    else:
        probe = _pushed(join.probe, column, keys)
        build = _pushed(join.build, column, keys) if inner and probe is None else None
    if probe is None and build is None:
        return None
    return replace(join, probe=probe or join.probe, build=build or join.build)


def _through_union(union: UnionRows, column: ColumnId, keys: DynamicFilter) -> UnionRows | None:
    place = next((place for place, field in enumerate(union.fields) if field.id == column), None)
    if place is None:
        return None
    pushed = [_pushed(part, part.fields[place].id, keys) for part in union.inputs]
    if not any(part is not None for part in pushed):
        return None
    return replace(union, inputs=tuple(new or old for new, old in zip(pushed, union.inputs, strict=True)))

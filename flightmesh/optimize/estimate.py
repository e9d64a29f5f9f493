"""How many rows and bytes a relation is expected to give, and what its columns are expected to look like.

Handed a relation without Applies; hands on an `Estimate`. What always holds: estimates never fail, are at least a fraction
of a row, and are computed once for each relation of a planning (remembered in the context by the relation's identity, not
by its deep hash).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Column, Expression, Field, columns_of, conjuncts
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import (
    Aggregate,
    Apply,
    Expand,
    Filter,
    Join,
    JoinKind,
    Limit,
    Project,
    Recursion,
    Reference,
    Relation,
    Scan,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
    With,
    Working,
)
from flightmesh.optimize.column_estimate import ColumnEstimate, column_estimate, table_rows, width_of
from flightmesh.optimize.context import Context
from flightmesh.optimize.join_estimate import joined, matched_share, semi_joined
from flightmesh.optimize.selectivity import Columns, kept

WORKING_ROWS = 1e9
"""What a working table counts as: so much that joins with it build on the other side, whose table is then made once."""
TURNS, LEAST_RECURSIVE = 10.0, 1000.0
"""How often a recursion is expected to give as many rows as it began with, and the least that it is expected to give."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected rows, columns by id, and bytes of one row in memory."""

    rows: float
    columns: Columns
    row_bytes: float


def estimate(relation: Relation, context: Context) -> Estimate:
    """What the relation is expected to give."""
    known = context.memo.get(id(relation))
    if known is not None:
        found: Estimate = known[1]
        return found
    made = _estimate(relation, context)
    context.memo[id(relation)] = (relation, made)
    return made


def _of(rows: float, columns: Columns) -> Estimate:
    return Estimate(max(rows, 0.01), columns, sum(c.width for c in columns.values()) or 1.0)


def _estimate(node: Relation, context: Context) -> Estimate:
    match node:
        case Scan():
            return _scan(node, context)
        case Values(fields=fields, rows=rows):
            count = float(rows.num_rows)
            return _of(count, {f.id: ColumnEstimate(max(count, 1.0), width=width_of(f.type)) for f in fields})
        case Filter(input=child, predicate=predicate):
            return filtered(estimate(child, context), conjuncts(predicate))
        case Project(input=child, items=items):
            below = estimate(child, context)
            return _of(below.rows, {i.field.id: _computed(i.expression, below) for i in items})
        case Join():
            return join_estimate(node, estimate(node.left, context), estimate(node.right, context))
        case Apply(left=left):
            return estimate(left, context)
        case Aggregate():
            return _aggregate(node, estimate(node.input, context))
        case Window(input=child, items=windows):
            below = estimate(child, context)
            made = {w.field.id: ColumnEstimate(max(below.rows, 1.0), width=width_of(w.field.type)) for w in windows}
            return _of(below.rows, below.columns | made)
        case Expand():
            return _expanded(node, estimate(node.input, context))
        case Unnest():
            return _unnested(node, estimate(node.input, context))
        case Sort(input=child):
            return estimate(child, context)
        case Limit(input=child, count=count, offset=offset):
            return _limited(estimate(child, context), count, offset)
        case SetOperation(inputs=parts, fields=fields):
            return _union([f.id for f in fields], [estimate(p, context) for p in parts], parts)
        case Reference():
            return _reference(node, context)
        case Recursion(fields=fields):
            return _recursion(fields, estimate(node.seed, context).rows)
        case Working(fields=fields):
            return _of(WORKING_ROWS, {f.id: ColumnEstimate(WORKING_ROWS, width=width_of(f.type)) for f in fields})
        case With(definitions=definitions, body=body):
            context.shared.update((d.id, d.relation) for d in definitions)
            return estimate(body, context)


MEAN_ELEMENTS = 4.0
"""Elements a list, for want of any statistics of them."""


def _unnested(node: Unnest, below: Estimate) -> Estimate:
    rows = below.rows * MEAN_ELEMENTS
    made = {f.id: ColumnEstimate(max(rows, 1.0), width=width_of(f.type)) for f in node.made}
    return _of(rows, below.columns | made)


def _scan(node: Scan, context: Context) -> Estimate:
    statistics = context.statistics(node.table)
    rows = table_rows(statistics, node.table)
    origin = id(node)
    read = {f.id: f for f in (*node.fields, *node.filter_only)}
    columns = {f.id: column_estimate(f, statistics.columns.get(f.name), rows, origin, node.table.name) for f in read.values()}
    made = filtered(Estimate(rows, columns, 0.0), node.filters)
    shown = {f.id: made.columns[f.id] for f in node.fields}
    return _limited(_of(made.rows, shown), node.limit, 0) if node.limit is not None else _of(made.rows, shown)


def filtered(below: Estimate, parts: tuple[Expression, ...]) -> Estimate:
    """The estimate after a filter by these conjuncts."""
    if not parts:
        return below
    share, narrowed = kept(parts, below.columns)
    rows = below.rows * share
    columns = {id_: narrowed.get(id_) or c.sampled(below.rows, rows) for id_, c in below.columns.items()}
    return _of(rows, columns)


def _limited(below: Estimate, count: int | None, offset: int) -> Estimate:
    rows = max(0.0, below.rows - offset)
    if count is not None:
        rows = min(rows, float(count))
    return _of(rows, {id_: c.sampled(below.rows, rows) for id_, c in below.columns.items()})


def _computed(expression: Expression, below: Estimate) -> ColumnEstimate:
    if isinstance(expression, Column):
        known = below.columns.get(expression.id)
        return known or ColumnEstimate(max(1.0, below.rows), width=width_of(expression.type))
    read = [below.columns[c] for c in columns_of(expression) if c in below.columns]
    distinct = 1.0
    for column in read:
        distinct *= max(column.distinct, 1.0)
    return ColumnEstimate(max(1.0, min(distinct, below.rows)), width=width_of(expression.type))


def _aggregate(node: Aggregate, below: Estimate) -> Estimate:
    keys = {g.field.id: _computed(g.expression, below) for g in node.groups}
    rows = min(distinct_of(keys.values()), max(below.rows, 1.0)) if node.groups else 1.0
    columns: Columns = {
        id_: replace(c, distinct=min(c.distinct, rows), origin=id(node), origin_rows=rows) for id_, c in keys.items()
    }
    for item in node.aggregates:
        columns[item.field.id] = ColumnEstimate(max(1.0, rows), width=width_of(item.field.type))
    return _of(rows, columns)


def _expanded(node: Expand, below: Estimate) -> Estimate:
    """A copy of the input for each set."""
    made = {f.id: ColumnEstimate(float(len(node.sets)), width=width_of(f.type)) for f in node.made}
    made.update((item.field.id, _computed(item.expression, below)) for item in node.keys)
    return _of(below.rows * len(node.sets), below.columns | made)


def distinct_of(columns: Iterable[ColumnEstimate]) -> float:
    """Distinct combinations: products, but never more than the table has rows for columns of one table."""
    by_origin: dict[int | None, list[ColumnEstimate]] = {}
    for column in columns:
        by_origin.setdefault(column.origin, []).append(column)
    total = 1.0
    for origin, parts in by_origin.items():
        product = 1.0
        for part in parts:
            product *= max(part.distinct, 1.0)
        total *= product if origin is None else min(product, max(parts[0].origin_rows, 1.0))
    return total


def join_estimate(node: Join, left: Estimate, right: Estimate) -> Estimate:
    """What a join of sides with these estimates is expected to give."""
    parts = conjuncts(node.condition)
    match node.kind:
        case JoinKind.SEMI | JoinKind.ANTI:
            rows, columns = semi_joined(node.kind, parts, left.rows, left.columns, right.columns)
            return _of(rows, columns)
        case JoinKind.MARK:
            made = {} if node.mark is None else {node.mark.id: ColumnEstimate(2.0, width=1.0)}
            return _of(left.rows, left.columns | made)
        case JoinKind.SINGLE:
            return _of(left.rows, left.columns | right.columns)
        case JoinKind.INNER | JoinKind.LEFT | JoinKind.RIGHT | JoinKind.FULL:
            rows, met = joined(parts, left.rows, left.columns, right.rows, right.columns)
            if node.kind in (JoinKind.LEFT, JoinKind.FULL):
                rows = max(rows, left.rows)
            if node.kind in (JoinKind.RIGHT, JoinKind.FULL):
                rows = max(rows, right.rows)
            lefts = {id_: c.sampled(left.rows, rows) for id_, c in left.columns.items()}
            rights = {id_: c.sampled(right.rows, rows) for id_, c in right.columns.items()}
            if node.kind is JoinKind.INNER:
                return _of(rows, lefts | rights | met)
            if node.kind in (JoinKind.LEFT, JoinKind.FULL):
                rights = _padded(rights, matched_share(parts, left.columns, right.columns))
            if node.kind in (JoinKind.RIGHT, JoinKind.FULL):
                lefts = _padded(lefts, matched_share(parts, right.columns, left.columns))
            return _of(rows, lefts | rights)


def _padded(columns: Columns, matched: float) -> Columns:
    """The columns of the side that gives NULLs where the other one has no partner: `matched` is the share that has one."""
    return {id_: replace(c, null_fraction=1.0 - (1.0 - c.null_fraction) * matched) for id_, c in columns.items()}


def _union(ids: list[ColumnId], parts: list[Estimate], inputs: tuple[Relation, ...]) -> Estimate:
    rows = sum(part.rows for part in parts)
    columns: Columns = {}
    for place, id_ in enumerate(ids):
        each = [part.columns.get(child.fields[place].id) for part, child in zip(parts, inputs, strict=True)]
        known = [c for c in each if c is not None]
        distinct = sum(c.distinct for c in known) or max(rows, 1.0)
        columns[id_] = ColumnEstimate(distinct, width=known[0].width if known else 8.0)
    return _of(rows, columns)


def _recursion(fields: tuple[Field, ...], seed: float) -> Estimate:
    rows = max(seed * TURNS, LEAST_RECURSIVE)
    return _of(rows, {f.id: ColumnEstimate(rows, width=width_of(f.type)) for f in fields})


def _reference(node: Reference, context: Context) -> Estimate:
    shared = context.shared.get(node.shared)
    if shared is None:
        return _of(1000.0, {f.id: ColumnEstimate(100.0, width=width_of(f.type)) for f in node.fields})
    below = estimate(shared, context)
    unknown = ColumnEstimate(max(below.rows, 1.0))
    columns = {f.id: below.columns.get(source, unknown) for f, source in zip(node.fields, node.sources, strict=True)}
    return _of(below.rows, columns)

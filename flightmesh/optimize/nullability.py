"""Which expressions and which columns of a relation can be NULL.

Handed an expression with the columns known never to be NULL, or a relation; hands on what follows. What always holds: a
doubt is answered on the safe side (may be NULL).
"""

from __future__ import annotations

from flightmesh.catalog.table import TableStatistics
from flightmesh.expression.nodes import Call, Case, Cast, CastMode, Column, Expression, InList, Literal, conjuncts
from flightmesh.expression.properties import null_rejecting
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
    SetKind,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
    With,
    Working,
)
from flightmesh.optimize.context import Context

Ids = frozenset[ColumnId]

COMPARISONS = frozenset({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"})
STRICT = COMPARISONS | {
    *("add", "subtract", "multiply", "negate", "like", "ilike", "not_like", "not_ilike"),
    *("upper", "lower", "length", "substring", "starts_with", "ends_with", "contains", "abs", "not"),
    *("year", "month", "day", "hour", "minute", "second", "date_part", "date_trunc"),
}
"""NULL when an argument is NULL, and only then."""

NEVER_NULL = frozenset({"is_null", "is_not_null", "is_distinct_from", "is_not_distinct_from", "is_true", "is_false"})

NEVER_NULL_AGGREGATES = frozenset({"count", "count_star", "approx_count_distinct", "regr_count", "entropy"})
"""Aggregates that give 0, not NULL, for no rows."""


def may_be_null(node: Expression, sure: Ids) -> bool:
    """Whether the expression can be NULL when the columns `sure` never are."""
    match node:
        case Column(id=id_):
            # The flag on the column is not asked: an outer join may have come between since it was written.
            return id_ not in sure
        case Literal():
            return node.is_null
        case Call(function=name, args=args):
            if name in NEVER_NULL:
                return False
            if name == "coalesce":
                return all(may_be_null(a, sure) for a in args)
            return not (name in STRICT or name in ("and", "or")) or any(may_be_null(a, sure) for a in args)
        case Cast(operand=operand, mode=mode):
            return mode is CastMode.TRY or may_be_null(operand, sure)
        case InList(operand=operand, options=options):
            return may_be_null(operand, sure) or any(o.is_null for o in options)
        case Case(whens=whens, otherwise=otherwise):
            return otherwise is None or may_be_null(otherwise, sure) or any(may_be_null(w.value, sure) for w in whens)


def never_null(relation: Relation, context: Context) -> Ids:
    """Columns of the relation's output that hold no NULL, for the data as the statistics found it (files are pinned)."""
    match relation:
        case Scan():
            statistics = context.statistics(relation.table)
            sure = frozenset(f.id for f in relation.fields if not f.nullable or _no_nulls(statistics, f.name))
            return sure | _rejected(relation, relation.filters)
        case Values(fields=fields, rows=rows):
            return frozenset(f.id for f, c in zip(fields, rows.columns, strict=True) if c.null_count == 0)
        case Filter(input=child, predicate=predicate):
            return never_null(child, context) | _rejected(relation, conjuncts(predicate))
        case Sort(input=child) | Limit(input=child):
            return never_null(child, context)
        case Project(input=child, items=items):
            sure = never_null(child, context)
            return frozenset(i.field.id for i in items if not may_be_null(i.expression, sure))
        case Aggregate(input=child, groups=groups, aggregates=aggregates):
            sure = never_null(child, context)
            named = frozenset(g.field.id for g in groups if not may_be_null(g.expression, sure))
            return named | frozenset(a.field.id for a in aggregates if a.call.function in NEVER_NULL_AGGREGATES)
        case Window(input=child, items=windows):
            return never_null(child, context) | frozenset(w.field.id for w in windows if not w.field.nullable)
        case Expand(input=child, number=number, present=present):
            return frozenset({number.id}) | (never_null(child, context) if present is None else frozenset())
        case Unnest(input=child, kind=kind, ordinal=ordinal):
            numbered = frozenset({ordinal.id}) if ordinal is not None and kind is JoinKind.INNER else frozenset()
            return never_null(child, context) | numbered
        case Join():
            return _join(relation, context)
        case SetOperation(kind=kind, inputs=parts, fields=fields):
            found = [never_null(part, context) for part in parts]
            if kind is not SetKind.UNION:
                found, parts = found[:1], parts[:1]
            return frozenset(
                f.id for i, f in enumerate(fields) if all(p.fields[i].id in s for p, s in zip(parts, found, strict=True))
            )
        case Reference(fields=fields, sources=sources):
            shared = context.shared.get(relation.shared)
            sure = frozenset() if shared is None else never_null(shared, context)
            return frozenset(f.id for f, s in zip(fields, sources, strict=True) if s in sure)
        case With() | Apply() | Recursion() | Working():
            return frozenset(f.id for f in relation.fields if not f.nullable)


def _no_nulls(statistics: TableStatistics, name: str) -> bool:
    column = statistics.columns.get(name)
    return column is not None and column.null_count == 0


def _rejected(relation: Relation, parts: tuple[Expression, ...]) -> Ids:
    return frozenset(f.id for f in relation.fields if any(null_rejecting(p, (f.id,)) for p in parts))


def _join(join: Join, context: Context) -> Ids:
    left = never_null(join.left, context)
    match join.kind:
        case JoinKind.SEMI | JoinKind.ANTI | JoinKind.LEFT | JoinKind.SINGLE | JoinKind.MARK:
            return left | (_rejected(join.left, conjuncts(join.condition)) if join.kind is JoinKind.SEMI else frozenset())
        case JoinKind.INNER:
            found = left | never_null(join.right, context)
            return found | _rejected(join, conjuncts(join.condition))
        case JoinKind.RIGHT:
            return never_null(join.right, context)
        case JoinKind.FULL:
            return frozenset()

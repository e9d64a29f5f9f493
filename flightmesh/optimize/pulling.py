"""Correlated predicates pulled up out of a dependent right side: the cheap half of decorrelation.

Handed the right side of an Apply and the columns of its left; hands on an uncorrelated relation with the predicates that
tie it to a left row, or None where only a domain join will do (see `domain`). What always holds: for any left row d, the
rows of the right side for d are those of `Pulled.relation` for which `Pulled.predicates` hold (plus, for a global
aggregate, the row of `Pulled.defaults` where there is none).

This is the simplification of Neumann & Kemper, "Unnesting Arbitrary Queries" (BTW 2015), section 3.4: where equality binds
the outer columns, inner columns stand for the domain, and an aggregate is grouped by them.
"""

from __future__ import annotations

from dataclasses import field, replace

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import (
    Call,
    Column,
    Expression,
    Field,
    Literal,
    columns_of,
    conjunction,
    conjuncts,
    substitute,
)
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import call_expressions, free_columns
from flightmesh.logical.relations import (
    Aggregate,
    Filter,
    Item,
    Join,
    JoinKind,
    Limit,
    Project,
    Relation,
    Sort,
    passes,
)
from flightmesh.optimize.context import Context
from flightmesh.optimize.fold import fold
from flightmesh.optimize.nullability import NEVER_NULL_AGGREGATES

Outer = frozenset[ColumnId]

KEEPS_LEFT_ROWS = (JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI, JoinKind.SINGLE, JoinKind.MARK)


@dataclass(frozen=True, slots=True)
class Pulled:
    """`deferred`: columns of the right side that read left columns, to be computed above the join.

    `defaults`: set for a global aggregate: the value of each output column for a left row without a partner.
    """

    relation: Relation
    predicates: tuple[Expression, ...] = ()
    deferred: dict[ColumnId, Expression] = field(default_factory=dict)
    defaults: dict[ColumnId, Expression] | None = None


def pull(node: Relation, outer: Outer, context: Context) -> Pulled | None:
    """The right side without its correlation, or None."""
    if not free_columns(node) & outer:
        return Pulled(node)
    match node:
        case Filter():
            return _filter(node, outer, context)
        case Project():
            return _project(node, outer, context)
        case Join(kind=JoinKind.INNER):
            return _inner(node, outer, context)
        case Join(kind=kind) if kind in KEEPS_LEFT_ROWS:
            return _keeping_left(node, outer, context)
        case Aggregate():
            return _aggregate(node, outer, context)
        case Sort():
            return pull(node.input, outer, context)
        case _:
            return None


def without_limit(node: Relation) -> Relation:
    """For EXISTS: a LIMIT that leaves a row where there is one, and what only shapes rows, do not matter."""
    match node:
        case Limit(input=child, count=count, offset=0) if count is None or count > 0:
            return without_limit(child)
        case Sort(input=child):
            return without_limit(child)
        case Project(input=child):
            return without_limit(child)
        case Aggregate(input=child, groups=groups) if groups:
            return without_limit(child)
        case _:
            return node


def _filter(node: Filter, outer: Outer, context: Context) -> Pulled | None:
    below = pull(node.input, outer, context)
    if below is None or below.defaults is not None:
        return None
    local: list[Expression] = []
    tied: list[Expression] = list(below.predicates)
    for part in conjuncts(node.predicate):
        changed = substitute(part, below.deferred) if below.deferred else part
        (tied if columns_of(changed) & outer else local).append(changed)
    predicate = conjunction(tuple(local))
    relation = below.relation if predicate is None else Filter(below.relation, predicate)
    return replace(below, relation=relation, predicates=tuple(tied))


def _project(node: Project, outer: Outer, context: Context) -> Pulled | None:
    below = pull(node.input, outer, context)
    if below is None:
        return None
    items: list[Item] = []
    deferred: dict[ColumnId, Expression] = {}
    for item in node.items:
        changed = substitute(item.expression, below.deferred) if below.deferred else item.expression
        if columns_of(changed) & outer:
            deferred[item.field.id] = changed
        else:
            items.append(Item(item.field, changed))
    defaults: dict[ColumnId, Expression] | None = None
    if below.defaults is not None:
        if deferred:
            return None
        defaults = {}
        for item in items:
            value = fold(substitute(item.expression, below.defaults))
            if not isinstance(value, Literal):
                return None
            defaults[item.field.id] = value
    read = frozenset[ColumnId]().union(*(columns_of(p) for p in (*below.predicates, *deferred.values())))
    present = {i.field.id for i in items}
    for extra in below.relation.fields:
        if extra.id in read and extra.id not in present:
            items.append(passes(extra.column()))
    return Pulled(Project(below.relation, tuple(items)), below.predicates, deferred, defaults)


def _inner(node: Join, outer: Outer, context: Context) -> Pulled | None:
    left, right = pull(node.left, outer, context), pull(node.right, outer, context)
    if left is None or right is None or left.defaults is not None or right.defaults is not None:
        return None
    deferred = left.deferred | right.deferred
    local: list[Expression] = []
    tied = [*left.predicates, *right.predicates]
    for part in conjuncts(node.condition):
        changed = substitute(part, deferred) if deferred else part
        (tied if columns_of(changed) & outer else local).append(changed)
    joined = Join(left.relation, right.relation, JoinKind.INNER, conjunction(tuple(local)))
    return Pulled(joined, tuple(tied), deferred)


def _keeping_left(node: Join, outer: Outer, context: Context) -> Pulled | None:
    if free_columns(node.right) & outer or (node.condition is not None and columns_of(node.condition) & outer):
        return None
    below = pull(node.left, outer, context)
    if below is None or below.defaults is not None:
        return None
    if node.condition is not None and columns_of(node.condition) & below.deferred.keys():
        return None
    return replace(below, relation=replace(node, left=below.relation))


def _aggregate(node: Aggregate, outer: Outer, context: Context) -> Pulled | None:
    below = pull(node.input, outer, context)
    if below is None or below.defaults is not None:
        return None
    read = [g.expression for g in node.groups] + [e for a in node.aggregates for e in call_expressions(a.call)]
    if any(columns_of(e) & (outer | below.deferred.keys()) for e in read):
        return None
    groups = list(node.groups)
    predicates: list[Expression] = []
    for part in below.predicates:
        if not columns_of(part) - outer:
            predicates.append(part)
            continue
        sides = _binding(part, outer)
        if sides is None:
            return None
        inner, other = sides
        key = _group_key(groups, inner, below.relation.fields, context)
        predicates.append(replace(part, args=(key, other)) if isinstance(part, Call) else part)
    grouped = Aggregate(below.relation, tuple(groups), node.aggregates)
    if node.groups:
        return Pulled(grouped, tuple(predicates))
    defaults: dict[ColumnId, Expression] = {a.field.id: empty_value(a.field, a.call.function) for a in node.aggregates}
    return Pulled(grouped, tuple(predicates), {}, defaults)


def empty_value(made: Field, function: str) -> Expression:
    """What an aggregate gives for no rows: 0 for counts, NULL for the rest."""
    return Literal(pa.scalar(0 if function in NEVER_NULL_AGGREGATES else None, made.type))


def _binding(part: Expression, outer: Outer) -> tuple[Expression, Expression] | None:
    """(inner side, outer side) of an equality that binds inner columns to outer ones."""
    if not isinstance(part, Call) or part.function not in ("equal", "is_not_distinct_from"):
        return None
    a, b = part.args
    if not columns_of(a) & outer and not columns_of(b) - outer:
        return a, b
    if not columns_of(b) & outer and not columns_of(a) - outer:
        return b, a
    return None


def _group_key(groups: list[Item], inner: Expression, fields: tuple[Field, ...], context: Context) -> Column:
    """The group that holds the inner side. Only a column of the input keeps its id: one of a query further out is not made
    here."""
    for item in groups:
        if item.expression == inner:
            return item.field.column()
    if isinstance(inner, Column) and any(f.id == inner.id for f in fields):
        made = passes(inner)
    else:
        made = Item(Field(context.ids.fresh(), "key", inner.type), inner)
    groups.append(made)
    return made.field.column()

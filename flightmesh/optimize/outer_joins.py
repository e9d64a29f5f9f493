"""Rule: an outer join whose padded rows a predicate above throws away is a simpler join.

LEFT becomes INNER when some predicate above cannot hold for a row whose right side is all NULL; FULL becomes LEFT, RIGHT or
INNER alike. LEFT becomes ANTI when some predicate above wants NULL of a right column that no partner has as NULL; who reads the
right side above it reads NULLs. The predicates above are those of filters, of scans' readers and of the conditions of joins on
the way down.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.expression.nodes import Call, Column, Expression, Literal, columns_of, conjuncts, substitute
from flightmesh.expression.properties import null_rejecting
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Aggregate, Filter, Item, Join, JoinKind, Project, Relation, SetKind, SetOperation, Sort
from flightmesh.logical.traversal import inputs, rebuilt
from flightmesh.optimize.context import Context

Predicates = tuple[Expression, ...]


def simplify_outer_joins(relation: Relation, context: Context) -> Relation:
    """The query with as few outer joins as its predicates need."""
    return _down(relation, ())


def _down(node: Relation, above: Predicates) -> Relation:
    match node:
        case Filter(input=child, predicate=predicate):
            return rebuilt(node, (_down(child, (*above, *conjuncts(predicate))),))
        case Project(input=child, items=items):
            computed = {item.field.id: item.expression for item in items}
            return rebuilt(node, (_down(child, tuple(substitute(p, computed) for p in above)),))
        case Sort(input=child):
            return rebuilt(node, (_down(child, above),))
        case Join():
            return _join(node, above)
        case Aggregate(input=child):
            return rebuilt(node, (_down(child, _over_groups(node, above)),))
        case SetOperation(kind=SetKind.UNION):
            return rebuilt(node, tuple(_down(part, _of_branch(node, part, above)) for part in node.inputs))
        case _:
            return rebuilt(node, tuple(_down(part, ()) for part in inputs(node)))


def _of_branch(node: SetOperation, part: Relation, above: Predicates) -> Predicates:
    names: dict[ColumnId, Expression] = {f.id: own.column() for f, own in zip(node.fields, part.fields, strict=True)}
    return tuple(substitute(p, names) for p in above)


def _over_groups(node: Aggregate, above: Predicates) -> Predicates:
    computed = {item.field.id: item.expression for item in node.groups}
    return tuple(substitute(p, computed) for p in above if columns_of(p) and columns_of(p) <= computed.keys())


def _join(node: Join, above: Predicates) -> Relation:
    left = frozenset(f.id for f in node.left.fields)
    right = frozenset(f.id for f in node.right.fields)
    kind = _simpler(node.kind, above, left, right)
    on = conjuncts(node.condition)
    into_left = (*above, *on) if kind in (JoinKind.INNER, JoinKind.SEMI) else above
    into_right = (*above, *on) if kind is JoinKind.INNER else on
    if kind is JoinKind.RIGHT:
        into_left, into_right = on, above
    elif kind is JoinKind.FULL:
        into_left, into_right = (), ()
    elif kind is JoinKind.MARK:
        into_right = ()
    parts = (_down(node.left, into_left), _down(node.right, into_right))
    made = rebuilt(node, parts)
    if not isinstance(made, Join):
        return made
    if kind is JoinKind.LEFT and _wants_no_partner(on, above, right):
        return _padded(replace(made, kind=JoinKind.ANTI), node)
    return made if kind is node.kind else replace(made, kind=kind)


def _wants_no_partner(on: Predicates, above: Predicates, right: frozenset[ColumnId]) -> bool:
    """Whether a predicate above drops every row that has found a partner: it asks for NULL in a column that the condition lets
    no partner have as NULL."""
    wanted = [part.args[0] for part in above if isinstance(part, Call) and part.function == "is_null"]
    return any(
        isinstance(column, Column) and column.id in right and any(null_rejecting(part, {column.id}) for part in on)
        for column in wanted
    )


def _padded(anti: Join, left: Join) -> Relation:
    """The rows of a LEFT join none of which has a partner."""
    there = {f.id for f in anti.fields}
    items = (Item(f, f.column() if f.id in there else Literal(pa.scalar(None, f.type))) for f in left.fields)
    return Project(anti, tuple(items))


def _simpler(kind: JoinKind, above: Predicates, left: frozenset[ColumnId], right: frozenset[ColumnId]) -> JoinKind:
    if kind is JoinKind.LEFT and any(null_rejecting(p, right) for p in above):
        return JoinKind.INNER
    if kind is JoinKind.RIGHT and any(null_rejecting(p, left) for p in above):
        return JoinKind.INNER
    if kind is JoinKind.FULL:
        # A row without a left partner has NULLs on the left: rejecting those leaves the rows that LEFT keeps.
        keeps_right = not any(null_rejecting(p, left) for p in above)
        keeps_left = not any(null_rejecting(p, right) for p in above)
        if keeps_left and keeps_right:
            return JoinKind.FULL
        if keeps_left:
            return JoinKind.LEFT
        return JoinKind.RIGHT if keeps_right else JoinKind.INNER
    return kind

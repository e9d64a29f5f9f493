"""Rule: an outer join whose padded rows a predicate above throws away is a simpler join.

LEFT becomes INNER when some predicate above cannot hold for a row whose right side is all NULL; FULL becomes LEFT, RIGHT or
INNER alike. The predicates above are those of filters, of scans' readers and of the conditions of joins on the way down.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.expression.nodes import Expression, columns_of, conjuncts, substitute
from flightmesh.expression.properties import null_rejecting
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Aggregate, Filter, Join, JoinKind, Project, Relation, Sort
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
        case _:
            return rebuilt(node, tuple(_down(part, ()) for part in inputs(node)))


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
    return made if kind is node.kind or not isinstance(made, Join) else replace(made, kind=kind)


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

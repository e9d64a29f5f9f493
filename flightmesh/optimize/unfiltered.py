"""A relation taken apart into what it reads and joins, and what it keeps of that.

Handed a relation; hands on its joins without filters and projections, and the predicates and computed columns over those. What
always holds: the relation's rows are those of `Unfiltered.relation` for which all predicates are true, and its columns are
what `Unfiltered.of` says; what must stay where it is (volatile predicates, what stands below a limit, a grouping or a window)
stays in `Unfiltered.relation`; and no join there has a condition that may fail, which predicates below it may have kept from
rows that it fails on.
"""

from __future__ import annotations

from dataclasses import field, replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Expression, columns_of, conjunction, conjuncts, substitute
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import is_pass
from flightmesh.logical.relations import Filter, Join, JoinKind, Project, Relation, Scan
from flightmesh.optimize.fragile import is_fragile

FROM_THE_LEFT = (JoinKind.SEMI, JoinKind.ANTI, JoinKind.LEFT, JoinKind.MARK)
"""Joins above which a predicate over left columns keeps what it keeps below."""


@dataclass(frozen=True, slots=True)
class Unfiltered:
    """`columns`: what computes the columns that the relation has and `relation` has not."""

    relation: Relation
    predicates: tuple[Expression, ...] = ()
    columns: dict[ColumnId, Expression] = field(default_factory=dict)

    def of(self, expression: Expression) -> Expression:
        """An expression over the whole's columns, over those of `relation`."""
        return substitute(expression, self.columns) if self.columns else expression


def unfiltered(node: Relation) -> Unfiltered:
    """The relation taken apart."""
    match node:
        case Scan(limit=None):
            stay = tuple(p for p in node.filters if is_volatile(p))
            known = {f.id for f in node.fields}
            fields = (*node.fields, *(f for f in node.filter_only if f.id not in known))
            moved = tuple(p for p in node.filters if not is_volatile(p))
            return Unfiltered(replace(node, fields=fields, filter_only=(), filters=stay), moved)
        case Filter(input=child, predicate=predicate) if not is_volatile(predicate):
            below = unfiltered(child)
            return replace(below, predicates=(*below.predicates, *map(below.of, conjuncts(predicate))))
        case Project(input=child, items=items) if not any(is_volatile(i.expression) for i in items):
            below = unfiltered(child)
            made = {i.field.id: below.of(i.expression) for i in items if not is_pass(i)}
            return replace(below, columns=below.columns | made)
        case Join(kind=JoinKind.INNER):
            return _inner(node)
        case Join(kind=kind) if kind in FROM_THE_LEFT:
            below = unfiltered(node.left)
            condition = None if node.condition is None else below.of(node.condition)
            if condition is not None and is_fragile(condition):
                return Unfiltered(node)
            return replace(below, relation=replace(node, left=below.relation, condition=condition))
        case _:
            return Unfiltered(node)


def _inner(node: Join) -> Unfiltered:
    """Equalities between the sides stay, because they are what is joined by; without any the join stays whole."""
    left, right = unfiltered(node.left), unfiltered(node.right)
    columns = left.columns | right.columns
    inside = frozenset(f.id for f in left.relation.fields)
    on: list[Expression] = []
    moved: list[Expression] = []
    for part in conjuncts(node.condition):
        changed = substitute(part, columns) if columns else part
        (on if is_volatile(changed) or _ties(changed, inside) else moved).append(changed)
    if not on or any(is_fragile(part) for part in on):
        return Unfiltered(node)
    joined = Join(left.relation, right.relation, JoinKind.INNER, conjunction(tuple(on)))
    return Unfiltered(joined, (*left.predicates, *right.predicates, *moved), columns)


def _ties(part: Expression, left: frozenset[ColumnId]) -> bool:
    """Whether the predicate is an equality between the two sides."""
    if not isinstance(part, Call) or part.function not in ("equal", "is_not_distinct_from"):
        return False
    a, b = map(columns_of, part.args)
    return bool(a and b) and (a <= left) is not (b <= left) and not (a & left and b & left)

"""Rule: the value of a scalar subquery is brought to the one table that it is compared with, before that is joined.

`where d_month_seq = (select ...)` keeps few days: asked above the joins it would keep few of the joined rows. Handed a query
whose filters are pushed down; hands on one in which a SINGLE join without a condition, filtered by a comparison with its row,
stands below the joins that do not need the row. What always holds: the rows that the filter keeps are the same; that the
subquery has a second row may be noticed where the joins above would have dropped all rows.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.expression.nodes import Expression, columns_of, conjuncts
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import is_pass
from flightmesh.logical.relations import Filter, Join, JoinKind, Project, Relation
from flightmesh.logical.traversal import rewrite_up
from flightmesh.optimize.context import Context
from flightmesh.optimize.fragile import is_fragile
from flightmesh.optimize.order_of_fields import in_order
from flightmesh.optimize.push_filters import above

KEEPS_LEFT_COLUMNS = (JoinKind.INNER, JoinKind.SEMI, JoinKind.ANTI, JoinKind.LEFT, JoinKind.SINGLE, JoinKind.MARK)
"""Joins that give left rows or not, whatever further columns these have."""

Ids = frozenset[ColumnId]


def sink_single_joins(relation: Relation, context: Context) -> Relation:
    """The query with values of subqueries where they are compared."""
    return rewrite_up(relation, lambda node: _sink(node) if isinstance(node, Filter) else node)


def _sink(node: Relation) -> Relation:
    match node:
        case Filter(input=Join(kind=JoinKind.SINGLE, condition=None) as join, predicate=predicate):
            parts = conjuncts(predicate)
            row = _ids(join.right)
            for part in parts:
                others = columns_of(part) - row
                if len(others) == len(columns_of(part)) or is_volatile(part) or is_fragile(part):
                    continue
                left = _sunk(join.left, others, part, join) if others else None
                if left is not None:
                    rest = tuple(other for other in parts if other is not part)
                    return in_order(_sink(above(left, rest)), node.fields)
    return node


def _sunk(node: Relation, wanted: Ids, part: Expression, join: Join) -> Relation | None:
    """The relation with the SINGLE join and its filter on the lowest input that has the wanted columns; None where there is
    no join above that but of other such values: those would change places for ever."""
    if isinstance(node, Filter):
        below = _sunk(node.input, wanted, part, join)
        return None if below is None else replace(node, input=below)
    if isinstance(node, Project) and all(map(is_pass, node.items)):
        return _sunk(node.input, wanted, part, join)
    if not isinstance(node, Join):
        return None
    if node.kind is JoinKind.SINGLE and node.condition is None:
        below = _sunk(node.left, wanted, part, join) if wanted <= _ids(node.left) else None
        return None if below is None else replace(node, left=below)
    if node.kind in KEEPS_LEFT_COLUMNS and wanted <= _ids(node.left):
        return replace(node, left=_reached(node.left, wanted, part, join))
    if node.kind is JoinKind.INNER and wanted <= _ids(node.right):
        return replace(node, right=_reached(node.right, wanted, part, join))
    return None


def _reached(node: Relation, wanted: Ids, part: Expression, join: Join) -> Relation:
    return _sunk(node, wanted, part, join) or Filter(replace(join, left=node), part)


def _ids(relation: Relation) -> Ids:
    return frozenset(f.id for f in relation.fields)

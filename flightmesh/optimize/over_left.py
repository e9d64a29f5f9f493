"""A dependent join whose right side makes rows of one row alone: it makes them of the left rows themselves.

Handed an Apply; hands on an equal relation without a join, or None. Such a right side is what `FROM t, unnest(t.xs)` has:
projections, filters and Unnests over the one row of a SELECT without FROM. What always holds: each left row comes as often as
the right side had rows for it; for a LEFT one at least once.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.expression.nodes import Literal, conjuncts
from flightmesh.logical.expressions import is_pass
from flightmesh.logical.relations import Apply, Filter, JoinKind, Project, Relation, Unnest, Values, passes


def over_left(node: Apply) -> Relation | None:
    """The right side's rows made of the left's, or None where it reads anything else."""
    if node.kind is JoinKind.INNER:
        made = _over(node.right, node.left)
        return made if made is None or node.condition is None else Filter(made, node.condition)
    if node.kind is JoinKind.LEFT and all(_is_true(part) for part in conjuncts(node.condition)):
        unnest = _only_unnest(node.right)
        made = None if unnest is None else replace(unnest, input=node.left, kind=JoinKind.LEFT)
        return None if made is None else Project(made, tuple(passes(f.column()) for f in node.fields))
    return None


def _is_true(part: object) -> bool:
    return isinstance(part, Literal) and part.value.as_py() is True


def _over(right: Relation, left: Relation) -> Relation | None:
    """The same rows with the left's columns beside them."""
    match right:
        case Values(fields=(), rows=rows) if rows.num_rows == 1:
            return left
        case Filter(input=child):
            below = _over(child, left)
            return None if below is None else replace(right, input=below)
        case Unnest(input=child):
            below = _over(child, left)
            return None if below is None else replace(right, input=below)
        case Project(input=child, items=items):
            below = _over(child, left)
            passed = tuple(passes(f.column()) for f in left.fields)
            return None if below is None else Project(below, (*passed, *items))
    return None


def _only_unnest(right: Relation) -> Unnest | None:
    """An Unnest of the one row, its columns passed on by whatever stands over it."""
    match right:
        case Project(input=child, items=items) if all(map(is_pass, items)):
            return _only_unnest(child)
        case Unnest(input=Values(fields=(), rows=rows), kind=JoinKind.INNER) if rows.num_rows == 1:
            return right
    return None

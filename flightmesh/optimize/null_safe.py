"""Rule: a null-safe equality between columns of which one is never NULL is a plain one.

Decorrelation and set operations join on IS NOT DISTINCT FROM. Where a side holds no NULLs, `=` drops the same pairs, and
the join order knows more to do with it. Marks are three-valued and stay as they are.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.expression.nodes import Call, Expression, conjunction, conjuncts
from flightmesh.logical.relations import Join, JoinKind, Relation
from flightmesh.logical.traversal import rewrite_up
from flightmesh.optimize.context import Context
from flightmesh.optimize.nullability import Ids, may_be_null, never_null


def simplify_null_safe(relation: Relation, context: Context) -> Relation:
    """The query with plain equalities where they do."""

    def change(node: Relation) -> Relation:
        if not isinstance(node, Join) or node.kind is JoinKind.MARK or not any(map(_is_null_safe, conjuncts(node.condition))):
            return node
        sure = never_null(node.left, context) | never_null(node.right, context)
        parts = tuple(_plain(part, sure) for part in conjuncts(node.condition))
        return replace(node, condition=conjunction(parts))

    return rewrite_up(relation, change)


def _is_null_safe(part: Expression) -> bool:
    return isinstance(part, Call) and part.function == "is_not_distinct_from"


def _plain(part: Expression, sure: Ids) -> Expression:
    if isinstance(part, Call) and _is_null_safe(part) and not all(may_be_null(arg, sure) for arg in part.args):
        return replace(part, function="equal")
    return part

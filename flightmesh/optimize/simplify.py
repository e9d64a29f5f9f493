"""Rule: every expression simplified, filters that are constant decided.

Handed any query; hands on one whose expressions `fold` leaves alone. A filter that cannot be true (FALSE or NULL) becomes
an empty Values.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from flightmesh.expression.nodes import Expression, conjunction, conjuncts
from flightmesh.logical.expressions import with_expressions
from flightmesh.logical.relations import Apply, Filter, Join, JoinKind, Relation, Values
from flightmesh.logical.traversal import rewrite_up
from flightmesh.optimize.booleans import is_false, is_null, is_true
from flightmesh.optimize.context import Context
from flightmesh.optimize.fold import fold


def simplify(relation: Relation, context: Context) -> Relation:
    """The query with smaller expressions."""
    folded = context.folded

    def once(expression: Expression) -> Expression:
        if id(expression) in folded:
            return expression
        made = fold(expression)
        folded[id(made)] = made
        return made

    return rewrite_up(relation, lambda node: _node(node, once))


def _node(node: Relation, change: Callable[[Expression], Expression]) -> Relation:
    changed = with_expressions(node, change)
    match changed:
        case Filter(input=child, predicate=predicate):
            return _filter(changed, child, predicate)
        case Join(condition=condition) | Apply(condition=condition) if condition is not None and changed.kind is JoinKind.INNER:
            return _inner(changed, condition)
        case _:
            return changed


def _filter(node: Filter, child: Relation, predicate: Expression) -> Relation:
    kept = tuple(part for part in conjuncts(predicate) if not is_true(part))
    if any(is_false(part) or is_null(part) for part in kept):
        return empty(node)
    if isinstance(child, Filter):
        return Filter(child.input, conjunction((*conjuncts(child.predicate), *kept)) or predicate) if kept else child
    return node if len(kept) == len(conjuncts(predicate)) else _filtered(child, kept)


def _filtered(child: Relation, kept: tuple[Expression, ...]) -> Relation:
    predicate = conjunction(kept)
    return child if predicate is None else Filter(child, predicate)


def _inner(node: Join | Apply, condition: Expression) -> Relation:
    if is_true(condition):
        return type(node)(node.left, node.right, node.kind)
    return node


def empty(node: Relation) -> Values:
    """No rows of these columns."""
    schema = pa.schema([pa.field(f.key, f.type) for f in node.fields])
    return Values(node.fields, pa.RecordBatch.from_arrays([pa.array([], f.type) for f in node.fields], schema=schema))

"""A dependent join whose right side is an aggregate over the elements of one list: a function of that list.

Handed an Apply; hands on an equal relation without a join or a grouping, or None. Such a right side is that of
`(SELECT max(x) FROM unnest(t.xs) AS u(x))`. What always holds: each left row comes once, as the right side has one row for it.
The domain would do it too, but groups and joins by the lists' keys; what this leaves (WHERE, DISTINCT, aggregates of more than
the element) goes there.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.expression.nodes import AggregateCall, Call, Column, Expression, Field, Literal, conjuncts
from flightmesh.expression.registry import bind_call
from flightmesh.expression.types import Family, family
from flightmesh.logical.expressions import is_pass
from flightmesh.logical.relations import Aggregate, Apply, Filter, Item, JoinKind, Project, Relation, Unnest, Values, passes
from flightmesh.optimize.context import Context

_FOLDED = frozenset({"min", "max", "sum", "avg", "count", "product", "bool_and", "bool_or"})
_SCALARS = (Family.BOOLEAN, Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.STRING, Family.DATE, Family.TIMESTAMP)
_NONE = Literal(pa.scalar(0, pa.int64()))


def folded_lists(node: Apply, context: Context) -> Relation | None:
    """The left side with what the right one makes of its lists, or None where it is anything else."""
    if node.kind is JoinKind.INNER:
        made = _over(node.right, node.left, context)
        return made if made is None or node.condition is None else Filter(made, node.condition)
    if node.kind is not JoinKind.LEFT or not all(
        isinstance(p, Literal) and p.value.as_py() is True for p in conjuncts(node.condition)
    ):
        return None
    return _over(node.right, node.left, context)


def _over(right: Relation, left: Relation, context: Context) -> Relation | None:
    """The right side's one row beside each left row."""
    passed = tuple(passes(f.column()) for f in left.fields)
    match right:
        case Project(input=child, items=items):
            below = _over(child, left, context)
            return None if below is None else Project(below, (*passed, *items))
        case Aggregate(input=child, groups=(), aggregates=aggregates):
            found = _elements(child)
            if found is None:
                return None
            element, values = found
            held = Field(context.ids.fresh(), "list", values.type)
            folds = [(a.field, _fold(a.call, element, held.column())) for a in aggregates]
            items = tuple(Item(field, fold) for field, fold in folds if fold is not None)
            if len(items) < len(folds):
                return None
            # A list that is computed is computed once, whatever random() may stand in it.
            return Project(Project(left, (*passed, Item(held, values))), (*passed, *items))
    return None


def _elements(relation: Relation) -> tuple[Column, Expression] | None:
    """The column of the elements and the list, where the relation is the elements of one list and nothing else."""
    match relation:
        case Project(input=child, items=items) if all(map(is_pass, items)):
            return _elements(child)
        case Unnest(input=Values(fields=(), rows=rows), lists=(one,), kind=JoinKind.INNER, ordinal=None) if rows.num_rows == 1:
            return (one.field.column(), one.expression) if family(one.field.type) in _SCALARS else None
    return None


def _fold(call: AggregateCall, element: Column, values: Column) -> Expression | None:
    """The aggregate as a function of the list; None where there is none that gives the same."""
    if call.distinct or call.filter is not None or call.order:
        return None
    if call.function == "count_star":
        return _or_zero(bind_call("array_length", (values,), call.at))
    if call.function not in _FOLDED or len(call.args) != 1:
        return None
    argument = call.args[0]
    if not isinstance(argument, Column) or argument.id != element.id:
        return None
    made = bind_call(f"list_{call.function}", (values,), call.at)
    if made.type != call.type:
        return None
    return _or_zero(made) if call.function == "count" else made


def _or_zero(count: Expression) -> Expression:
    return Call("coalesce", (count, _NONE), pa.int64())

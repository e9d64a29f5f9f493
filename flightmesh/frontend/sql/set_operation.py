"""Binds UNION, INTERSECT and EXCEPT.

Handed a set operation's tree; hands on one relation. What always holds: inputs match by position, each column takes
the one type that holds all inputs' (text if nothing else fits and one of them is text), and a chain of one UNION is
one relation with many inputs.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from flightmesh.expression.nodes import Field
from flightmesh.expression.registry import coerce, common_type
from flightmesh.expression.types import is_string, sql_type_name
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.ordering import order_and_limit
from flightmesh.frontend.sql.refusals import refuse_clauses
from flightmesh.frontend.sql.scope import Scope
from flightmesh.logical.relations import Item, Project, Quantifier, Relation, SetKind, SetOperation, passes

_KINDS: dict[type[exp.Expr], SetKind] = {exp.Union: SetKind.UNION, exp.Intersect: SetKind.INTERSECT, exp.Except: SetKind.EXCEPT}
_BOUND = ("with_", "this", "expression", "distinct", "order", "limit", "offset")
_MODIFIERS = ("with_", "order", "limit", "offset")


def bind_set_operation(node: exp.Expr, context: Context, environment: Environment, parent: Scope | None) -> Bound:
    """The relation of a set operation, with its ORDER BY and LIMIT."""
    refuse_clauses(node, _BOUND, context.source)
    parts = _operands(node)
    bound = [context.bind_query(part, context, environment, parent) for part in parts]
    for other, part in zip(bound[1:], parts[1:], strict=True):
        if len(other.fields) != len(bound[0].fields):
            raise context.source.error(
                f"{node.key.upper()} of {len(bound[0].fields)} and {len(other.fields)} columns",
                part,
                "both sides need the same number of columns",
            )
    types = [_unified([b.fields[i] for b in bound], node, context) for i in range(len(bound[0].fields))]
    fields = tuple(
        Field(context.state.ids.fresh(), f.name, type, any(b.fields[i].nullable for b in bound))
        for i, (f, type) in enumerate(zip(bound[0].fields, types, strict=True))
    )
    inputs = tuple(_converted(b, types, context) for b in bound)
    quantifier = Quantifier.DISTINCT if node.args.get("distinct") else Quantifier.ALL
    made = Bound(SetOperation(_KINDS[type(node)], quantifier, inputs, fields), fields)
    return order_and_limit(node, made, context, environment, parent)


def _operands(node: exp.Expr) -> list[exp.Expr]:
    """The inputs; those of a UNION below on the left side, of the same quantifier and without modifiers, are taken in."""
    parts = [node.args["expression"]]
    left = node.this
    while (
        isinstance(node, exp.Union)
        and isinstance(left, exp.Union)
        and bool(left.args.get("distinct")) == bool(node.args.get("distinct"))
        and not any(left.args.get(key) for key in (*_MODIFIERS, "by_name", "side", "kind", "on"))
    ):
        parts.append(left.args["expression"])
        left = left.this
    parts.append(left)
    return parts[::-1]


def _unified(fields: list[Field], node: exp.Expr, context: Context) -> pa.DataType:
    result = fields[0].type
    for other in fields[1:]:
        found = common_type(result, other.type)
        if found is None and (is_string(result) or is_string(other.type)):
            found = pa.string()
        if found is None:
            types = f"{sql_type_name(result)} on one side and {sql_type_name(other.type)} on the other"
            what = f"the column {fields[0].name!r} is {types}"
            raise context.source.error(f"{node.key.upper()}: {what}", node, "cast one of them")
        result = found
    return result


def _converted(bound: Bound, types: list[pa.DataType], context: Context) -> Relation:
    """The input with its columns in order and of the common types."""
    own = bound.relation.fields
    if [f.id for f in own] == [f.id for f in bound.fields] and [f.type for f in own] == types:
        return bound.relation
    items = []
    for field, type in zip(bound.fields, types, strict=True):
        if field.type == type:
            items.append(passes(field.column()))
        else:
            items.append(Item(Field(context.state.ids.fresh(), field.name, type, field.nullable), coerce(field.column(), type)))
    return Project(bound.relation, tuple(items))

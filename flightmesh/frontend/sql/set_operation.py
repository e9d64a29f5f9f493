"""Binds UNION, INTERSECT and EXCEPT.

Handed a set operation's tree; hands on one relation. What always holds: inputs match by position, those
of UNION BY NAME by name; each column takes the one type that holds all inputs' (text if nothing else fits and one of
them is text), and a chain of one UNION is one relation with many inputs.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from flightmesh.expression.nodes import Field, Literal
from flightmesh.expression.registry import coerce, common_type
from flightmesh.expression.types import is_string, sql_type_name
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.ordering import order_and_limit
from flightmesh.frontend.sql.refusals import refuse_clauses
from flightmesh.frontend.sql.scope import Scope
from flightmesh.logical.relations import Item, Project, Quantifier, Relation, SetKind, SetOperation, passes

_KINDS: dict[type[exp.Expr], SetKind] = {exp.Union: SetKind.UNION, exp.Intersect: SetKind.INTERSECT, exp.Except: SetKind.EXCEPT}
_BOUND = ("with_", "this", "expression", "distinct", "by_name", "order", "limit", "offset")
_MODIFIERS = ("with_", "order", "limit", "offset")


_Row = tuple[Field | None, ...]
"""What an input gives for each output column; None where BY NAME finds nothing, which makes NULL."""


def bind_set_operation(node: exp.Expr, context: Context, environment: Environment, parent: Scope | None) -> Bound:
    """The relation of a set operation, with its ORDER BY and LIMIT."""
    if node.args.get("by_name") and not isinstance(node, exp.Union):
        raise context.source.unsupported(f"{node.key.upper()} BY NAME", node)
    refuse_clauses(node, _BOUND, context.source)
    parts = _operands(node)
    bound = [context.bind_query(part, context, environment, parent) for part in parts]
    match_rows = _by_name if node.args.get("by_name") else _by_position
    rows = match_rows(bound, parts, node, context)
    columns = [[row[i] for row in rows] for i in range(len(rows[0]))]
    fields = tuple(_output(column, node, context) for column in columns)
    types = [f.type for f in fields]
    inputs = tuple(_converted(b, row, types, context) for b, row in zip(bound, rows, strict=True))
    quantifier = Quantifier.DISTINCT if node.args.get("distinct") else Quantifier.ALL
    made = Bound(SetOperation(_KINDS[type(node)], quantifier, inputs, fields), fields)
    return order_and_limit(node, made, context, environment, parent)


def _by_position(bound: list[Bound], parts: list[exp.Expr], node: exp.Expr, context: Context) -> list[_Row]:
    for other, part in zip(bound[1:], parts[1:], strict=True):
        if len(other.fields) != len(bound[0].fields):
            raise context.source.error(
                f"{node.key.upper()} of {len(bound[0].fields)} and {len(other.fields)} columns",
                part,
                "both sides need the same number of columns",
            )
    return [b.fields for b in bound]


def _by_name(bound: list[Bound], parts: list[exp.Expr], node: exp.Expr, context: Context) -> list[_Row]:
    """Columns in the order in which their names first appear; names match in any case."""
    named = []
    for b, part in zip(bound, parts, strict=True):
        own = {f.name.casefold(): f for f in b.fields}
        if len(own) != len(b.fields):
            twice = next(f.name for f in b.fields if own[f.name.casefold()] is not f)
            hint = "give its columns different names"
            raise context.source.error(f"UNION BY NAME: one side has the column {twice!r} twice", part, hint)
        named.append(own)
    names = dict.fromkeys(name for own in named for name in own)
    return [tuple(own.get(name) for name in names) for own in named]


def _output(column: list[Field | None], node: exp.Expr, context: Context) -> Field:
    present = [f for f in column if f is not None]
    nullable = len(present) < len(column) or any(f.nullable for f in present)
    return Field(context.state.ids.fresh(), present[0].name, _unified(present, node, context), nullable)


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


def _converted(bound: Bound, row: _Row, types: list[pa.DataType], context: Context) -> Relation:
    """The input with its columns in order and of the common types."""
    own = bound.relation.fields
    if [f.id for f in own] == [f and f.id for f in row] and [f.type for f in own] == types:
        return bound.relation
    items = []
    for field, type in zip(row, types, strict=True):
        if field is None:
            items.append(Item(Field(context.state.ids.fresh(), "missing", type), Literal(pa.scalar(None, type))))
        elif field.type == type:
            items.append(passes(field.column()))
        else:
            items.append(Item(Field(context.state.ids.fresh(), field.name, type, field.nullable), coerce(field.column(), type)))
    return Project(bound.relation, tuple(items))

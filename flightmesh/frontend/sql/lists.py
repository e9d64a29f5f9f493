"""Binds lists and their subscripts: `[a, b]`, `ARRAY[a, b]`, `ARRAY(SELECT ...)`, `xs[1]`, `xs[2:3]`.

Handed a binder and the node of a list or of what is taken from one; hands on the typed expression. What always holds: elements
get one type as the arms of a CASE do, and a list of nothing is a list of NULLs' type, which yields to any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from flightmesh.errors import Position
from flightmesh.expression.nodes import Expression, Literal
from flightmesh.expression.registry import bind_call, unify
from flightmesh.expression.types import TYPE_LEVELS, Family, family, sql_type_name, type_levels
from flightmesh.frontend.sql.parse import LAST_PLACE, first_place
from flightmesh.frontend.sql.subquery import bind_list

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder


def array(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """A list of values."""
    source = binder.context.source
    for part in node.expressions:
        if isinstance(part, exp.Comprehension):
            raise source.unsupported("list comprehensions", part, "unnest the list in a subquery")
        if isinstance(part, exp.Query) and not isinstance(part, exp.Subquery):  # one in parentheses is a value
            return _of_rows(binder, part, binder.at(node))
    values = [binder.bind(part) for part in node.expressions]
    if max((type_levels(value.type) for value in values), default=0) >= TYPE_LEVELS:
        raise source.unsupported(f"lists within each other in more than {TYPE_LEVELS} levels", node)
    at = binder.at(node)
    return bind_call("list_value", unify(values, "a list", at) if values else (), at)


def _of_rows(binder: ExpressionBinder, query: exp.Expr, at: Position | None) -> Expression:
    """ARRAY(SELECT ...): the rows of a query of one column, in its order; a list of nothing where there are none."""
    return bind_call("coalesce", (bind_list(binder, query), bind_call("list_value", (), at)), at)


def subscript(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """An element, or a slice with both its ends; of a text characters."""
    source, at = binder.context.source, binder.at(node)
    base = binder.bind(node.this)
    if family(base.type) not in (Family.LIST, Family.STRING, Family.NULL):
        if family(base.type) is Family.OTHER:
            raise source.unsupported(f"a subscript of {sql_type_name(base.type)}", node)
        raise source.error(f"a subscript is of a list or text, not of {sql_type_name(base.type)}", node)
    if len(node.expressions) != 1 or node.args.get("offset") is not None:
        raise source.unsupported("this kind of subscript", node)
    (inner,) = node.expressions
    if isinstance(inner, exp.Slice):
        return bind_call("list_slice", (base, *_bounds(binder, inner)), at)
    place = binder.bind(inner)
    shift = 1 - first_place(binder.context.dialect_name)
    if shift:
        place = bind_call("add", (place, Literal(pa.scalar(shift, pa.int32()))), at)
    return bind_call("list_extract", (base, place), at)


def _bounds(binder: ExpressionBinder, node: exp.Slice) -> list[Expression]:
    """Where the slice begins and ends, and its step if it has one; an end that is left out is that of the list."""
    if first_place(binder.context.dialect_name) != 1:
        raise binder.context.source.unsupported("slices of this dialect", node)
    step = None if node.args.get("step") is None else binder.bind(node.args["step"])
    ends = [Literal(pa.scalar(place, pa.int64())) for place in (1, int(LAST_PLACE))]
    if isinstance(step, Literal) and not step.is_null and family(step.type) is Family.INTEGER and step.value.as_py() < 0:
        ends.reverse()
    given = (node.this, node.args.get("expression"))
    bound = [end if part is None else binder.bind(part) for part, end in zip(given, ends, strict=True)]
    return bound if step is None else [*bound, step]

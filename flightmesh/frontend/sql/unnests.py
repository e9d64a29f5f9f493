"""Binds unnest in a select list.

Handed its node; hands on a column that the select list's Unnest gives. What always holds: a select list unnests after it has
grouped and windowed, its lists side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from flightmesh.expression.nodes import Expression
from flightmesh.expression.registry import bind_call, coerce
from flightmesh.expression.types import Family, family, sql_type_name
from flightmesh.frontend.sql.clause import Clause
from flightmesh.frontend.sql.context import Context

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder

_DEEPEST = 100


def unnest(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """The elements of a list, a row each: only in a select list, outside aggregates, windows and another unnest."""
    clause, source = binder.clause, binder.context.source
    if clause.unnests is None:
        hint = "unnest in a subquery, or in FROM: FROM t, unnest(t.xs) AS u(x)"
        raise source.error(f"unnest cannot stand in {clause.name}", node, hint)
    inner = Clause(
        "unnest", clause.site, clause.aggregates, clause.windows, clause.alias, clause.alias_names, None, clause.sets
    )
    bound = as_list(binder.within(inner).bind(node.this), node.this, binder.context)
    if clause.unnests.is_read_by(bound):
        raise source.error("unnest cannot read what the same select list unnests", node, "unnest in a subquery")
    flat = _flattened(bound, node, binder.context)
    if clause.unnests.deep or (flat is not bound and clause.unnests.items):
        raise source.unsupported("a recursive unnest beside another one", node, "unnest one of them in a subquery")
    clause.unnests.deep = flat is not bound
    return clause.unnests.add(flat, "unnest")


def as_list(bound: Expression, node: exp.Expr, context: Context) -> Expression:
    """What is to be unnested as a list. Raises InvalidQuery for anything else; NULL is a list without elements."""
    if family(bound.type) is Family.NULL:
        return coerce(bound, pa.list_(pa.int32()))
    if family(bound.type) is not Family.LIST:
        nested = family(bound.type) is Family.OTHER
        if nested:
            raise context.source.unsupported(f"unnest of {sql_type_name(bound.type)}", node)
        raise context.source.error(f"unnest takes a list, not {sql_type_name(bound.type)}", node)
    return bound


def _flattened(bound: Expression, node: exp.Expr, context: Context) -> Expression:
    """The list of what is unnested at last: lists of lists become one where `recursive` or `max_depth` says so."""
    for option in node.expressions:
        for _ in range(_levels(option, context) - 1):
            if family(bound.type.value_type) is Family.LIST:
                bound = bind_call("flatten", (bound,), context.source.position(node))
    return bound


def _levels(option: exp.Expr, context: Context) -> int:
    name = option.this.name.lower() if isinstance(option, exp.PropertyEQ | exp.EQ) else ""
    value = option.args.get("expression")
    if name == "recursive" and isinstance(value, exp.Boolean):
        return _DEEPEST if value.this else 1
    if (
        name == "max_depth"
        and isinstance(value, exp.Literal)
        and not value.is_string
        and value.name.isdigit()
        and int(value.name)
    ):
        return min(int(value.name), _DEEPEST)
    raise context.source.error("unnest takes a list, then recursive := true or max_depth := 2", option)

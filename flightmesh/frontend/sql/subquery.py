"""Binds subqueries in expressions: each becomes the right side of an Apply, whose column the expression reads.

Handed the binder of the expression around it and the subquery's node; hands on that column. What always holds: the
subquery sees the columns around it as plain Columns, and nothing is decorrelated here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from flightmesh.expression.nodes import Column, Expression, Field
from flightmesh.expression.registry import bind_aggregate
from flightmesh.frontend.sql.clause import Dependent
from flightmesh.frontend.sql.context import Bound
from flightmesh.frontend.sql.rows import compare_rows, is_row
from flightmesh.logical.relations import Aggregate, AggregateItem, JoinKind

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder


def bind_scalar(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """A subquery that stands for one value: NULL where it has no row, an error where it has two."""
    bound = _bind(binder, node)
    _require_columns(binder, node, bound, 1)
    at = binder.context.source.position(node)
    binder.clause.site.pending.append(Dependent(bound.relation, JoinKind.SINGLE, at=at))
    field = bound.relation.fields[0]
    return Column(field.id, field.name, field.type, True)


def bind_list(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """The values of a subquery of one column as one list, in its order: NULL where it has no row."""
    bound = _bind(binder, node)
    _require_columns(binder, node, bound, 1)
    fields = {f.id: f for f in bound.relation.fields}
    call = bind_aggregate("list", (fields[bound.fields[0].id].column(),), at=binder.context.source.position(node))
    made = Field(binder.context.state.ids.fresh(), "list", call.type)
    rows = Aggregate(bound.relation, (), (AggregateItem(made, call),))
    binder.clause.site.pending.append(Dependent(rows, JoinKind.SINGLE))
    return made.column()


def bind_row(binder: ExpressionBinder, node: exp.Expr) -> list[Expression]:
    """A subquery that stands for one row: its columns, NULL where it has no row."""
    bound = _bind(binder, node)
    at = binder.context.source.position(node)
    binder.clause.site.pending.append(Dependent(bound.relation, JoinKind.SINGLE, at=at))
    fields = {f.id: f for f in bound.relation.fields}
    return [Column(f.id, f.name, fields[f.id].type, True) for f in bound.fields]


def bind_exists(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """EXISTS: a mark without a condition."""
    bound = _bind(binder, node.this)
    mark = Field(binder.context.state.ids.fresh(), "exists", pa.bool_(), False)
    binder.clause.site.pending.append(Dependent(bound.relation, JoinKind.MARK, None, mark))
    return mark.column()


def bind_in(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """`x IN (subquery)`, or `(x, y) IN (subquery)`: a mark whose condition is the comparison."""
    return bind_mark(binder, node, node.args["query"], "equal", "in")


def bind_mark(binder: ExpressionBinder, node: exp.Expr, query: exp.Expr, function: str, name: str) -> Expression:
    """Whether a comparison of `node`'s left side, which may be a row, holds with any row of a query."""
    left = node.this.unnest()
    operands = left.expressions if is_row(left) else [node.this]  # a subquery keeps its parentheses
    values = [binder.bind(operand) for operand in operands]
    bound = _bind(binder, query)
    _require_columns(binder, query, bound, len(values))
    at = binder.context.source.position(node)
    fields = {f.id: f for f in bound.relation.fields}
    condition = compare_rows(function, values, [fields[f.id].column() for f in bound.fields], at)
    mark = Field(binder.context.state.ids.fresh(), name, pa.bool_())
    binder.clause.site.pending.append(Dependent(bound.relation, JoinKind.MARK, condition, mark))
    return mark.column()


def _bind(binder: ExpressionBinder, node: exp.Expr) -> Bound:
    return binder.context.bind_query(node, binder.context, binder.scope.environment, binder.scope)


def _require_columns(binder: ExpressionBinder, node: exp.Expr, bound: Bound, wanted: int) -> None:
    if len(bound.fields) != wanted:
        plural = "column" if wanted == 1 else "columns"
        raise binder.context.source.error(
            f"the subquery gives {len(bound.fields)} columns where {wanted} {plural} must be", node
        )

"""Binds VALUES lists, and the one row without columns that a SELECT without FROM reads.

Handed rows of expressions; hands on a Values relation, or a union of one-row projections where an expression is not
constant.
"""

from __future__ import annotations

import pyarrow as pa
from sqlglot import exp

from flightmesh.errors import DataError
from flightmesh.expression.lower import evaluate_constant
from flightmesh.expression.nodes import Expression, Field
from flightmesh.expression.properties import is_constant
from flightmesh.expression.registry import unify
from flightmesh.frontend.sql.clause import Clause, Site
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.expressions import ExpressionBinder
from flightmesh.frontend.sql.scope import Scope, Tables
from flightmesh.logical.relations import Item, Project, Quantifier, Relation, SetKind, SetOperation, Values

ONE_ROW = pa.RecordBatch.from_struct_array(pa.array([{}], pa.struct([])))


def one_row() -> Values:
    """One row, no columns."""
    return Values((), ONE_ROW)


def bind_values(node: exp.Expr, context: Context, environment: Environment, parent: Scope | None) -> Bound:
    """The rows of a VALUES list; its columns are col0, col1, ... and take one type down all rows."""
    rows = [_cells(row) for row in node.expressions]
    width = len(rows[0])
    for cells, row in zip(rows, node.expressions, strict=True):
        if len(cells) != width:
            raise context.source.error(f"this row has {len(cells)} values, the first one {width}", row)
    sites = [Site() for _ in rows]
    scope = Scope(Tables(), parent, environment)
    bound = [
        [ExpressionBinder(context, scope, Clause("VALUES", site)).bind(cell) for cell in cells]
        for cells, site in zip(rows, sites, strict=True)
    ]
    columns = [unify([row[i] for row in bound], "VALUES", context.source.position(rows[0][i])) for i in range(width)]
    fields = tuple(Field(context.state.ids.fresh(), f"col{i}", cells[0].type) for i, cells in enumerate(columns))
    if all(is_constant(cell) for cells in columns for cell in cells):
        return Bound(Values(fields, _batch(columns, fields, context, node)), fields)
    return Bound(_union(columns, sites, fields, context), fields)


def _cells(row: exp.Expr) -> list[exp.Expr]:
    if isinstance(row, exp.Tuple):
        return list(row.expressions)
    return [row.this if isinstance(row, exp.Paren) else row]


def _array(values: list[pa.Scalar], kind: pa.DataType) -> pa.Array:
    # Arrow takes scalars as they are, also dates that Python has none for; but lists that are NULL only from Python.
    return pa.array([value.as_py() for value in values] if pa.types.is_nested(kind) else values, kind)


def _batch(
    columns: list[tuple[Expression, ...]], fields: tuple[Field, ...], context: Context, node: exp.Expr
) -> pa.RecordBatch:
    try:
        arrays = [
            _array([evaluate_constant(cell).value for cell in cells], field.type)
            for cells, field in zip(columns, fields, strict=True)
        ]
    except DataError as error:
        raise context.source.error(error.message, node, error.hint) from None
    return pa.RecordBatch.from_arrays(arrays, names=[field.key for field in fields])


def _union(columns: list[tuple[Expression, ...]], sites: list[Site], fields: tuple[Field, ...], context: Context) -> Relation:
    parts: list[Relation] = []
    for number, site in enumerate(sites):
        cells = [cells[number] for cells in columns]
        items = tuple(
            Item(Field(context.state.ids.fresh(), f.name, f.type), cell) for f, cell in zip(fields, cells, strict=True)
        )
        parts.append(Project(site.attach(one_row()), items))
    if len(parts) == 1:
        own = tuple(Item(f, cell[0]) for f, cell in zip(fields, columns, strict=True))
        return Project(sites[0].attach(one_row()), own)
    return SetOperation(SetKind.UNION, Quantifier.ALL, tuple(parts), fields)

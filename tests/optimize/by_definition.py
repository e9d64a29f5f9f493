"""Dependent joins carried out as their definition says: the right side run once for each left row, with that row's values put
in.

Handed a relation; hands on one in which every Apply is replaced by the rows it gives, ready for DuckDB.
"""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from flightmesh.expression.nodes import Call, Expression, Literal, substitute
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import substitute_columns
from flightmesh.logical.relations import Apply, Filter, JoinKind, Relation, Values
from flightmesh.logical.traversal import inputs, with_inputs
from tests.optimize.as_sql import as_sql

Row = list[Any]


def carried_out(node: Relation, database: duckdb.DuckDBPyConnection) -> Relation:
    """The relation without Applies."""
    if isinstance(node, Apply):
        return _apply(node, database)
    parts = tuple(carried_out(part, database) for part in inputs(node))
    return with_inputs(node, parts) if parts else node


def _apply(node: Apply, database: duckdb.DuckDBPyConnection) -> Relation:
    left = carried_out(node.left, database)
    rows: list[Row] = []
    for row in _rows(left, database):
        values: dict[ColumnId, Expression] = {
            f.id: Literal(pa.scalar(value, f.type)) for f, value in zip(left.fields, row, strict=True)
        }
        right = carried_out(substitute_columns(node.right, values), database)
        condition = None if node.condition is None else substitute(node.condition, values)
        rows.extend(_joined(node, row, right, condition, database))
    columns = [pa.array([row[i] for row in rows], f.type) for i, f in enumerate(node.fields)]
    return Values(node.fields, pa.RecordBatch.from_arrays(columns, [f.key for f in node.fields]))


def _joined(
    node: Apply, row: Row, right: Relation, condition: Expression | None, database: duckdb.DuckDBPyConnection
) -> list[Row]:
    found = _rows(right if condition is None else Filter(right, condition), database)
    match node.kind:
        case JoinKind.SEMI:
            return [row] if found else []
        case JoinKind.ANTI:
            return [] if found else [row]
        case JoinKind.MARK:
            unknown = condition is not None and _rows(Filter(right, Call("is_null", (condition,), pa.bool_())), database)
            return [[*row, True if found else None if unknown else False]]
        case JoinKind.INNER:
            return [[*row, *other] for other in found]
        case _:
            assert node.kind is JoinKind.LEFT or len(found) <= 1
            return [[*row, *other] for other in found] or [[*row, *([None] * len(right.fields))]]


def _rows(relation: Relation, database: duckdb.DuckDBPyConnection) -> list[Row]:
    found = database.execute(as_sql(relation)).arrow()
    table = found if isinstance(found, pa.Table) else found.read_all()
    return [list(row) for row in zip(*(c.to_pylist() for c in table.columns), strict=True)]

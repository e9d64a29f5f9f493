"""The SQL front end: text in any of sqlglot's dialects to a typed logical plan.

sqlglot parses; names, types, subqueries and everything after are bound here. What always holds: importing this
package does not import sqlglot, which costs a tenth of a second; the first statement does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flightmesh.frontend.sql.statements import (
    Analyze,
    CreateTableAs,
    CreateView,
    DropTable,
    DropView,
    Existing,
    Explain,
    Missing,
    Query,
    Statement,
)

if TYPE_CHECKING:
    from sqlglot import exp

    from flightmesh.catalog.table import Table
    from flightmesh.frontend.sql.context import Names
    from flightmesh.frontend.sql.parameters import Params
    from flightmesh.frontend.sql.source import Source
    from flightmesh.ids import ColumnIds

__all__ = [
    "Analyze",
    "CreateTableAs",
    "CreateView",
    "DropTable",
    "DropView",
    "Existing",
    "Explain",
    "Missing",
    "Query",
    "Statement",
    "bind_query_ast",
    "parse_expression",
    "plan_statement",
]


def plan_statement(
    text: str, *, catalog: Names, dialect: str = "duckdb", params: Params = None, ids: ColumnIds | None = None
) -> Statement:
    """The one statement of a text, bound: see `plan.plan_statement`."""
    from flightmesh.frontend.sql import plan

    return plan.plan_statement(text, catalog=catalog, dialect=dialect, params=params, ids=ids)


def bind_query_ast(
    ast: exp.Expr,
    *,
    catalog: Names,
    dialect: str = "duckdb",
    params: Params = None,
    ids: ColumnIds | None = None,
    source: Source | None = None,
    named: Mapping[str, exp.Expr | Table] | None = None,
) -> Query:
    """The query that a sqlglot tree means: see `plan.bind_query_ast`."""
    from flightmesh.frontend.sql import plan

    return plan.bind_query_ast(ast, catalog=catalog, dialect=dialect, params=params, ids=ids, source=source, named=named)


def parse_expression(text: str, dialect: str = "duckdb", *, name: str | None = None) -> exp.Expr:
    """One scalar expression of SQL as a sqlglot tree: see `parse.parse_expression`."""
    from flightmesh.frontend.sql import parse

    return parse.parse_expression(text, dialect, name=name)

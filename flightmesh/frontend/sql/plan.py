"""The doors of the SQL front end: a text, or a tree that the YAML front end built, to a bound statement.

Handed SQL with a catalog, a dialect and parameters; hands on a Statement. What always holds: everything is typed and
resolved, a shared relation stands in a With at the root, and what is wrong is an InvalidQuery with its place in the
text.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from flightmesh.catalog.catalog import View
from flightmesh.catalog.table import Table
from flightmesh.errors import InvalidQuery
from flightmesh.expression.headroom import with_headroom
from flightmesh.frontend.sql.context import Context, Names, State
from flightmesh.frontend.sql.ctes import Entry, Environment
from flightmesh.frontend.sql.definitions import bind_definition
from flightmesh.frontend.sql.parameters import Parameters, Params
from flightmesh.frontend.sql.parse import Parsed, dialect_named, parse_statement, too_deep
from flightmesh.frontend.sql.query import bind_query
from flightmesh.frontend.sql.root import bind_root
from flightmesh.frontend.sql.source import Source
from flightmesh.frontend.sql.statements import Explain, Query, Statement
from flightmesh.ids import ColumnIds


def plan_statement(
    text: str, *, catalog: Names, dialect: str = "duckdb", params: Params = None, ids: ColumnIds | None = None
) -> Statement:
    """The one statement of a text, bound. Raises InvalidQuery or UnsupportedFeature with line, column and caret."""
    if not isinstance(text, str):
        raise InvalidQuery(f"a statement is text (str), not {type(text).__name__}", hint="for instance 'SELECT 1'")
    try:
        return with_headroom(lambda: _planned(Source(text), catalog, dialect, params, ids))
    except RecursionError:
        raise too_deep() from None


def _planned(source: Source, catalog: Names, dialect: str, params: Params, ids: ColumnIds | None) -> Statement:
    speech = dialect_named(dialect)
    parsed = parse_statement(source, speech)
    context = _context(catalog, speech, dialect, source, params, ids)
    try:
        context.parameters.refuse_unused(parsed.tree, source)
        if isinstance(parsed.tree, exp.Create | exp.Drop):
            if parsed.explain is not None:
                raise source.unsupported(f"EXPLAIN of {parsed.tree.key.upper()}", parsed.tree)
            return bind_definition(parsed.tree, context)
        return _explained(parsed, bind_root(parsed.tree, context, Environment()))
    except InvalidQuery as error:
        raise source.complete(error) from None


def bind_query_ast(
    ast: exp.Expr,
    *,
    catalog: Names,
    dialect: str = "duckdb",
    params: Params = None,
    ids: ColumnIds | None = None,
    source: Source | None = None,
    named: Mapping[str, exp.Expr | Table | View] | None = None,
) -> Query:
    """The query that a tree means. Places in the tree's `meta` are offsets into the text of `source`, whose file errors name.

    `named` are tables and queries by name that hide those of the catalog, each seeing the ones before it; they behave as WITH
    entries: read once they are inlined, read more often computed once. Parameters that the tree does not use are no error.
    """
    source = source or Source("")
    speech = dialect_named(dialect)

    def bound() -> Query:
        context = _context(catalog, speech, dialect, source, params, ids)
        return bind_root(ast, context, _environment(ast, named or {}, context))

    try:
        return with_headroom(bound)
    except InvalidQuery as error:
        raise source.complete(error) from None
    except RecursionError:
        raise too_deep() from None


def _context(
    catalog: Names, dialect: Dialect, dialect_name: str, source: Source, params: Params, ids: ColumnIds | None
) -> Context:
    return Context(
        catalog, dialect, dialect_name.lower() or "duckdb", source, Parameters(params), State(ids or ColumnIds()), bind_query
    )


def _environment(ast: exp.Expr, named: Mapping[str, exp.Expr | Table | View], context: Context) -> Environment:
    environment = Environment()
    trees = [ast, *(query for query in named.values() if isinstance(query, exp.Expr))]
    reads = [table.name.casefold() for tree in trees for table in tree.find_all(exp.Table)]
    for name, query in named.items():
        if isinstance(query, View):
            raise InvalidQuery(f"{name} is a view", hint="register views in the catalog")
        environment = environment.extended(Entry(name, query, (), environment, reads.count(name.casefold()), context, None))
    return environment


def _explained(parsed: Parsed, query: Query) -> Statement:
    return query if parsed.explain is None else Explain(query, parsed.explain)

"""Binds CREATE VIEW, CREATE TABLE AS, DROP TABLE and DROP VIEW.

Handed their trees; hands on statements that the session carries out. What always holds: the query of a view or table
is bound here, so a wrong one is refused when it is written.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.parameters import parameter_name
from flightmesh.frontend.sql.refusals import refuse_clauses
from flightmesh.frontend.sql.root import bind_root
from flightmesh.frontend.sql.statements import (
    CreateTableAs,
    CreateView,
    DropTable,
    DropView,
    Existing,
    Lifetime,
    Missing,
    Query,
    Statement,
)

_CREATE = ("this", "kind", "expression", "replace", "exists", "properties")
_HARMLESS = (exp.TemporaryProperty,)


def bind_definition(tree: exp.Expr, context: Context) -> Statement:
    """The statement of a CREATE or DROP."""
    return _drop(tree, context) if isinstance(tree, exp.Drop) else _create(tree, context)


def _drop(tree: exp.Expr, context: Context) -> Statement:
    kind = str(tree.args.get("kind") or "").upper()
    tables = tree.args.get("tables") or ([tree.this] if tree.this is not None else [])
    if kind not in ("TABLE", "VIEW") or len(tables) != 1:
        raise context.source.unsupported(f"DROP {kind}" if len(tables) == 1 else "DROP of several names", tree)
    missing = Missing.IGNORE if tree.args.get("exists") else Missing.FAIL
    name = tuple(part.name for part in tables[0].parts)
    return DropTable(name, missing) if kind == "TABLE" else DropView(name, missing)


def _create(tree: exp.Expr, context: Context) -> Statement:
    kind = str(tree.args.get("kind") or "").upper()
    if kind not in ("TABLE", "VIEW"):
        raise context.source.unsupported(f"CREATE {kind}", tree)
    refuse_clauses(tree, _CREATE, context.source)
    properties = tree.args["properties"].expressions if tree.args.get("properties") else []
    for part in properties:
        if not isinstance(part, _HARMLESS):
            raise context.source.unsupported(f"CREATE {kind} with {part.key.removesuffix('property').upper()}", part)
    query_node = tree.args.get("expression")
    if query_node is None:
        raise context.source.unsupported("CREATE TABLE without AS", tree, "write CREATE TABLE name AS SELECT ...")
    existing = Existing.REPLACE if tree.args.get("replace") else Existing.KEEP if tree.args.get("exists") else Existing.FAIL
    target, columns = tree.this, []
    if isinstance(target, exp.Schema):
        target, columns = target.this, target.expressions
    for column in columns:
        if not isinstance(column, exp.Identifier):
            raise context.source.unsupported(f"column definitions in CREATE {kind} AS", column)
    query = _query(query_node, columns, target, context)
    name = tuple(part.name for part in target.parts)
    if kind == "TABLE":
        is_temporary = any(isinstance(part, exp.TemporaryProperty) for part in properties)
        return CreateTableAs(name, query, existing, Lifetime.SESSION if is_temporary else Lifetime.MESH)
    for node in query_node.find_all(exp.Placeholder, exp.Parameter, exp.Literal):
        if parameter_name(node) is not None:
            raise context.source.error("a view cannot have parameters", node, "write the value into the view's text")
    return CreateView(name, _view_text(columns, target, context), context.dialect_name, existing, query)


def _query(node: exp.Expr, columns: list[exp.Expr], target: exp.Expr, context: Context) -> Query:
    if columns:
        alias = exp.TableAlias(this=target.this.copy(), columns=[column.copy() for column in columns])
        node = exp.select("*").from_(exp.Subquery(this=node.copy(), alias=alias), copy=False)
    return bind_root(node, context, Environment())


def _view_text(columns: list[exp.Expr], target: exp.Expr, context: Context) -> str:
    """The text of the view's query as it was written; column names are put around it."""
    text = context.source.text
    tokens = context.dialect.tokenize(text)
    depth = 0
    start = 0
    for number, token in enumerate(tokens):
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if token.token_type is TokenType.ALIAS and depth == 0:
            start = tokens[number + 1].start
            break
    body = text[start:].rstrip().rstrip(";").rstrip()
    if not columns:
        return body
    names = ", ".join(column.sql(dialect=context.dialect) for column in columns)
    return f"SELECT * FROM (\n{body}\n) AS {target.this.sql(dialect=context.dialect)}({names})"

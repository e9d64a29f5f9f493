"""The names of columns that the query does not name: `sum(x)`, `(a + 1)`, as DuckDB gives them.

Handed a sqlglot expression; hands on a title. What always holds: it is for people only, nothing is resolved by it except the names
of a derived table's columns.
"""

from __future__ import annotations

from sqlglot import exp

from flightmesh.frontend.sql import functions_map
from flightmesh.frontend.sql.parameters import parameter_name

_SYMBOLS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "int_divide": "//", "modulo": "%", "power": "**",
    "equal": "=", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "concat_operator": "||",
    "is_not_distinct_from": "IS NOT DISTINCT FROM", "is_distinct_from": "IS DISTINCT FROM",
}  # fmt: skip
_EXTRA = {exp.And: "AND", exp.Or: "OR", exp.IntDiv: "//", exp.Mod: "%", exp.Like: "~~", exp.ILike: "~~*"}


def column_title(node: exp.Expr) -> str:
    """The name of a select item: its alias, its column's own name, or a text of its expression."""
    if isinstance(node, exp.Alias):
        return node.alias
    inner = node.unnest() if isinstance(node, exp.Paren) else node
    if isinstance(inner, exp.Column):
        return inner.name
    return title(inner)


def title(node: exp.Expr) -> str:
    """An expression as text."""
    match node:
        case exp.Paren():
            return title(node.this)
        case exp.Column():
            return ".".join(part.name for part in node.parts)
        case exp.Literal():
            name = parameter_name(node)
            return f"${name}" if name is not None else _literal(node)
        case exp.Placeholder() | exp.Parameter():
            return f"${parameter_name(node)}"
        case exp.Star():
            return "*"
        case exp.Cast():
            return f"{'TRY_CAST' if isinstance(node, exp.TryCast) else 'CAST'}({title(node.this)} AS {node.args['to'].sql('duckdb')})"
        case exp.Neg():
            return f"-{title(node.this)}"
        case exp.Not():
            return f"(NOT {title(node.this)})"
        case exp.Filter():
            return f"{title(node.this)} FILTER (WHERE {title(node.args['expression'].this)})"
        case exp.Distinct():
            return "DISTINCT " + ", ".join(title(part) for part in node.expressions)
        case exp.Binary():
            return _binary(node)
        case exp.Func() if not isinstance(node, exp.Case | exp.If | exp.Exists):
            return _function(node)
    return node.sql("duckdb")


def _literal(node: exp.Expr) -> str:
    return "'" + str(node.this).replace("'", "''") + "'" if node.is_string else str(node.this)


def _binary(node: exp.Expr) -> str:
    name = functions_map.OPERATORS.get(type(node))
    symbol = "/" if isinstance(node, exp.Div) else _EXTRA.get(type(node)) or _SYMBOLS.get(name or "")
    if symbol is None or node.args.get("negate"):
        return node.sql("duckdb")
    return f"({title(node.this)} {symbol} {title(node.args['expression'])})"


def _function(node: exp.Expr) -> str:
    aggregate = functions_map.aggregate_name(node)
    if isinstance(node, exp.Count) and (node.this is None or isinstance(node.this, exp.Star)):
        return "count_star()"
    if aggregate is not None:
        return f"{aggregate}({_listed(functions_map.arguments(node))})"
    translated = functions_map.translate(node)
    if translated is None:
        return node.sql("duckdb")
    name, args = translated
    return f"{name.lower()}({_listed(args)})"


def _listed(args: list[exp.Expr]) -> str:
    return ", ".join(title(arg) for arg in args)

"""The names of columns that the query does not name: `sum(x)`, `(a + 1)`, as DuckDB gives them.

Handed a sqlglot expression; hands on a title. What always holds: it is for people only, nothing is resolved by it
except the names of a derived table's columns.
"""

from __future__ import annotations

from sqlglot import exp

from flightmesh.frontend.sql import functions_map
from flightmesh.frontend.sql.parameters import parameter_name

_SYMBOLS: dict[type[exp.Expr], str] = {
    exp.And: "AND", exp.Or: "OR", exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.IntDiv: "//", exp.Mod: "%",
    exp.Pow: "**", exp.EQ: "=", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.DPipe: "||",
    exp.BitwiseAnd: "&", exp.BitwiseOr: "|", exp.BitwiseLeftShift: "<<", exp.BitwiseRightShift: ">>",
    exp.Like: "~~", exp.ILike: "~~*", exp.Glob: "~~~",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip
_TYPES = {
    "INT": "INTEGER",
    "TEXT": "VARCHAR",
    "CHAR": "VARCHAR",
    "VARBINARY": "BLOB",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
}


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
        case exp.Literal() | exp.Placeholder() | exp.Parameter():
            return _constant(node)
        case exp.Boolean():
            return "true" if node.this else "false"
        case exp.Star():
            return "*"
        case exp.Cast():
            word = "TRY_CAST" if isinstance(node, exp.TryCast) else "CAST"
            return f"{word}({title(node.this)} AS {_type(node.args['to'])})"
        case exp.Tuple():
            return f"row({_listed(node.expressions)})"
        case exp.Neg():
            return f"-{title(node.this)}"
        case exp.Not() | exp.Is() | exp.In() | exp.Between():
            return _condition(node)
        case exp.Case():
            return _case(node)
        case exp.Window():
            return f"{title(node.this).replace('count_star()', 'count()')} OVER {_over(node)}"
        case exp.Grouping() | exp.GroupingId():
            return f"GROUPING({_listed(node.expressions)})"
        case exp.Filter():
            return f"{title(node.this)} FILTER (WHERE {title(node.args['expression'].this)})"
        case exp.Distinct():
            return "DISTINCT " + ", ".join(title(part) for part in node.expressions)
        case exp.Binary() if type(node) in _SYMBOLS:
            negation = "!" if node.args.get("negate") else ""
            return f"({title(node.this)} {negation}{_SYMBOLS[type(node)]} {title(node.args['expression'])})"
        case exp.Array():
            return f"[{_listed(node.expressions)}]"
        case exp.Bracket():
            return f"{title(node.this)}[{_listed(node.expressions)}]"
        case exp.Slice():
            ends = [node.this, node.args.get("expression"), node.args.get("step")]
            shown = ["" if part is None else title(part) for part in ends]
            return ":".join(shown if ends[2] is not None else shown[:2])
        case exp.Func() if not isinstance(node, exp.If | exp.Exists):
            return _function(node)
    return node.sql("duckdb")


def _over(node: exp.Window) -> str:
    """The window, as it is written: one that has a name only by that."""
    parts = [node.args["alias"].name] if node.args.get("alias") is not None else []
    if node.args.get("partition_by"):
        parts.append(f"PARTITION BY {_listed(node.args['partition_by'])}")
    if node.args.get("order") is not None:
        parts.append(f"ORDER BY {', '.join(_key(key) for key in node.args['order'].expressions)}")
    frame = "" if node.args.get("spec") is None else node.args["spec"].sql("duckdb").upper()
    if frame not in ("", "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"):
        parts.append(frame)
    return parts[0] if len(parts) == 1 and node.args.get("alias") is not None else f"({' '.join(parts)})"


def _key(node: exp.Expr) -> str:
    shown = title(node.this if isinstance(node, exp.Ordered) else node)
    return f"{shown}{' DESC' if node.args.get('desc') else ''}{' NULLS FIRST' if node.args.get('nulls_first') else ''}"


def _constant(node: exp.Expr) -> str:
    name = parameter_name(node)
    if name is not None:
        return f"${name}"
    return "'" + str(node.this).replace("'", "''") + "'" if node.args.get("is_string") else str(node.this)


def _type(node: exp.Expr) -> str:
    text = node.sql("duckdb")
    return _TYPES.get(text, text)


def _condition(node: exp.Expr) -> str:
    match node:
        case exp.Not(this=exp.Is() as inner):
            return f"({title(inner.this)} IS NOT {title(inner.args['expression'])})"
        case exp.Not(this=exp.In() as inner) if inner.expressions:
            return f"({title(inner.this)} NOT IN ({_listed(inner.expressions)}))"
        case exp.Not():
            return f"(NOT {title(node.this)})"
        case exp.Is():
            return f"({title(node.this)} IS {title(node.args['expression'])})"
        case exp.In() if node.expressions:
            return f"({title(node.this)} IN ({_listed(node.expressions)}))"
        case exp.Between():
            return f"({title(node.this)} BETWEEN {title(node.args['low'])} AND {title(node.args['high'])})"
    return node.sql("duckdb")


def _case(node: exp.Case) -> str:
    tested = f"{title(node.this)} = " if node.this is not None else ""
    arms = "".join(f" WHEN ({tested}{title(arm.this)}) THEN ({title(arm.args['true'])})" for arm in node.args["ifs"])
    default = node.args.get("default")
    return f"CASE {arms}{'' if default is None else f' ELSE {title(default)}'} END"


def _function(node: exp.Expr) -> str:
    aggregate = functions_map.window_name(node) or functions_map.aggregate_name(node)
    if isinstance(node, exp.Count) and (node.this is None or isinstance(node.this, exp.Star)):
        return "count_star()"
    if aggregate is not None:
        return f"{aggregate}({_listed(functions_map.arguments(node))})"
    translated = functions_map.translate(node)
    if translated is None:
        return node.sql("duckdb")
    name, args = translated
    return f"{'COALESCE' if isinstance(node, exp.Coalesce) else name.lower()}({_listed(args)})"


def _listed(args: list[exp.Expr]) -> str:
    return ", ".join(title(arg) for arg in args)

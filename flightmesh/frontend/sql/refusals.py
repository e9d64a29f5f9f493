"""What the parser understands and this engine does not do yet, by the name a person knows.

Handed nodes of the syntax tree; raises UnsupportedFeature at their place, or hands on nothing. What always holds: a
part of a query that no one binds is refused here, never dropped.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlglot import exp

from flightmesh.frontend.sql.source import Source

_EXPRESSIONS: dict[type[exp.Expr], str] = {
    exp.Lambda: "lambda expressions",
    exp.Struct: "structs",
    exp.Map: "maps",
    exp.ToMap: "maps",
    exp.Dot: "fields of structs",
    exp.Comprehension: "list comprehensions",
    exp.JSONExtract: "JSON paths",
    exp.JSONExtractScalar: "JSON paths",
    exp.Columns: "COLUMNS(...)",
    exp.Any: "comparison with ANY",
    exp.All: "comparison with ALL",
    exp.WithinGroup: "WITHIN GROUP",
    exp.Tuple: "row values here",
    exp.AtTimeZone: "AT TIME ZONE",
    exp.Collate: "COLLATE",
    exp.Unnest: "unnest",
    exp.Alias: "a name inside an expression",
    exp.Distinct: "DISTINCT in this function",
    exp.Star: "* here",
    exp.Command: "this statement",
}

_AGGREGATES: dict[str, str | None] = {
    "histogram": "it gives a map; group by the value and count",
    "histogram_exact": "it gives a map; group by the value and count",
    "bitstring_agg": "bits are not done",
    "reservoir_quantile": "approx_quantile is close to it, and the same each time",
    "sum_no_overflow": "sum is exact",
    "arg_min_nulls_last": "arg_min leaves NULLs out, arg_min_null does not",
    "arg_max_nulls_last": "arg_max leaves NULLs out, arg_max_null does not",
    "approx_top_k": "it gives a list; group by the value, ORDER BY count(*) DESC LIMIT k",
}
"""Aggregates of DuckDB's that are not done, and what helps instead."""

_CLAUSES: dict[str, str] = {
    "qualify": "QUALIFY",
    "windows": "WINDOW",
    "laterals": "LATERAL VIEW",
    "lateral": "LATERAL VIEW",
    "pivots": "PIVOT",
    "sample": "TABLESAMPLE",
    "connect": "CONNECT BY",
    "match": "MATCH_RECOGNIZE",
    "match_condition": "ASOF JOIN",
    "prewhere": "PREWHERE",
    "into": "SELECT INTO",
    "locks": "FOR UPDATE",
    "cluster": "CLUSTER BY",
    "distribute": "DISTRIBUTE BY",
    "sort": "SORT BY",
    "version": "time travel",
    "when": "time travel",
    "ordinality": "WITH ORDINALITY",
    "rows_from": "ROWS FROM",
    "partition": "PARTITION of a table",
    "settings": "SETTINGS",
    "format": "FORMAT",
    "side": "UNION with a side",
    "on": "UNION ON",
    "all": "GROUP BY ALL",
    "totals": "WITH TOTALS",
    "rollup": "ROLLUP",
    "cube": "CUBE",
    "grouping_sets": "GROUPING SETS",
    "changes": "CHANGES",
    "search": "SEARCH in WITH",
    "expressions": "LIMIT BY",
}


def refuse_expression(node: exp.Expr, source: Source) -> None:
    """Raises for an expression of a kind that nothing here binds, naming it."""
    what = _EXPRESSIONS.get(type(node))
    if what is not None:
        raise source.unsupported(what, node)
    name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    if name in _AGGREGATES:
        raise source.unsupported(f"the aggregate {name}", node, _AGGREGATES[name])
    if isinstance(node, exp.AggFunc):
        name = node.sql_name().lower()
        raise source.unsupported(f"the aggregate {name}", node, _AGGREGATES.get(name))
    if isinstance(node, exp.Query):
        raise source.error("a subquery in an expression stands in parentheses", node)


def refuse_clauses(node: exp.Expr, bound: Collection[str], source: Source) -> None:
    """Raises for a part of `node` that is not among the `bound` ones."""
    for key, value in node.args.items():
        if not value or key in bound:
            continue
        raise source.unsupported(_CLAUSES.get(key) or key.strip("_").replace("_", " ").upper(), _place(value, node))


def _place(value: Any, node: exp.Expr) -> exp.Expr:
    if isinstance(value, list):
        value = next((part for part in value if isinstance(part, exp.Expr)), None)
    return value if isinstance(value, exp.Expr) else node

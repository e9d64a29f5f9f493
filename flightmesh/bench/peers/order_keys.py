"""A query with the keys of its ORDER BY among its columns and without its LIMIT: what leaves open which rows it may give.

Handed a text in DuckDB's dialect; hands on another, and which of its columns are keys. What always holds: a text whose keys
cannot be had beside its rows (it has DISTINCT, or GROUP BY ALL), or that skips rows, is refused.
"""

from __future__ import annotations

import sqlglot
from sqlglot import exp

KEY = "order_key_"
"""How the names of columns begin that stand for keys and are not among the query's own."""


def with_keys(sql: str) -> tuple[str, list[int | str]]:
    """The text, and its keys: numbers of columns from 0, or names of further ones. Raises ValueError for what is refused."""
    query = sqlglot.parse_one(sql, dialect="duckdb")
    if not isinstance(query, exp.Query):
        raise ValueError("only a query has rows to order")
    if query.args.get("offset") is not None:
        raise ValueError("rows that OFFSET skips are not known to the tie")
    order = query.args.get("order")
    query.set("limit", None)
    names = [select.unnest().alias_or_name.lower() for select in query.selects]  # DISTINCT (x) gives x
    keys: list[int | str] = []
    for number, key in enumerate(order.expressions if order else ()):
        term = key.this
        if isinstance(term, exp.Literal) and term.is_int:
            keys.append(int(term.name) - 1)
        elif isinstance(term, exp.Column) and not term.table and term.name.lower() in names:
            keys.append(names.index(term.name.lower()))
        else:
            _append(query, term, f"{KEY}{number}")
            keys.append(f"{KEY}{number}")
    return query.sql("duckdb"), keys


def _append(query: exp.Query, term: exp.Expression, name: str) -> None:
    if not isinstance(query, exp.Select):
        raise ValueError("only a SELECT can be ordered by what it does not give")
    group = query.args.get("group")
    if query.args.get("distinct") or (group is not None and group.args.get("all")):
        raise ValueError("a further column would change the rows of a SELECT DISTINCT or a GROUP BY ALL")
    query.append("expressions", exp.alias_(term.copy(), name))

"""Compares an ordered, limited answer with DuckDB's where rows tie under ORDER BY: by what the query promises, no more.

DuckDB answers the query once as it stands and once without its LIMIT, with the keys of its ORDER BY as further columns. Rows
whose keys are equal tie. An answer is right if, tie after tie, its rows are the tie's rows in any order; of the tie that LIMIT
cuts, any of them in the number that is left, each as often as it is there. So the order of the keys is checked to the row, and
nothing is asked that the text leaves open. Without ORDER BY all rows tie. What always holds: DuckDB's own answer to the text as
it stands passes; a text whose keys cannot be had beside its rows (it has DISTINCT, or GROUP BY ALL) or that skips rows is
refused, not compared less strictly. A LIMIT inside a subquery, or row_number() over an order with ties, would leave more open
than this knows of: then DuckDB's answer counts as the only one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from tests.compare import Row, assert_same_columns, duckdb_answer, is_same_row, rows_of, unpaired

_KEY = "order_key_"
_OWN_SCHEMA = re.compile(r'\bmain\."?(\w+)"?\(')
"""How DuckDB names a column that was given no name: some functions with their schema, in quotes. That is not compared."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query may answer: names and types as in `plain`, rows as `ties` say."""

    plain: pa.Table
    ties: tuple[tuple[Row, ...], ...]
    """Rows that tie, in the order of their keys, through the whole of the tie that LIMIT cuts."""


def answer_of(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    """DuckDB's answer, with all that the query leaves open."""
    plain = duckdb_answer(connection, sql)
    plain = plain.rename_columns([_OWN_SCHEMA.sub(r"\1(", name) for name in plain.column_names])
    text, keys = _with_keys(sql)
    whole = duckdb_answer(connection, text)
    columns = [number for number, name in enumerate(whole.column_names) if not name.startswith(_KEY)]
    found = Answer(plain, tuple(_ties(rows_of(whole.select(columns)), rows_of(whole.select(keys)), plain.num_rows)))
    assert_answers(plain, found)
    return found


def assert_answers(got: pa.Table, expected: Answer) -> None:
    """Fails, saying how, unless the table is one that the query may answer."""
    assert_same_columns(got, expected.plain)
    mine = rows_of(got)
    assert len(mine) == expected.plain.num_rows, f"{len(mine)} rows, expected {expected.plain.num_rows}"
    start = 0
    for tie in expected.ties:
        rows = mine[start : start + len(tie)]
        extra, _ = unpaired(rows, list(tie))
        assert not extra, (
            f"rows {start} to {start + len(rows) - 1}: {extra[:3]} are not among the {len(tie)} of {list(tie[:3])}"
        )
        start += len(rows)


def _with_keys(sql: str) -> tuple[str, list[int | str]]:
    """The query without LIMIT and with its keys among its columns: which those are."""
    query = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(query, exp.Query)
    order = query.args.get("order")
    assert query.args.get("offset") is None, "rows that OFFSET skips are not known to the tie"
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
            assert isinstance(query, exp.Select), "only a SELECT can be ordered by what it does not give"
            group = query.args.get("group")
            is_changed = query.args.get("distinct") or (group is not None and group.args.get("all"))
            assert not is_changed, "a further column would change the rows of a SELECT DISTINCT or a GROUP BY ALL"
            query.append("expressions", exp.alias_(term.copy(), f"{_KEY}{number}"))
            keys.append(f"{_KEY}{number}")
    return query.sql("duckdb"), keys


def _ties(rows: list[Row], keys: list[Row], wanted: int) -> Iterator[tuple[Row, ...]]:
    """Rows in runs of equal keys, until there are as many as are wanted."""
    start = 0
    while start < wanted:
        end = start + 1
        while end < len(rows) and is_same_row(keys[end], keys[end - 1]):
            end += 1
        yield tuple(rows[start:end])
        start = end

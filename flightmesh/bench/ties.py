"""Compares an ordered, limited answer with DuckDB's where rows tie under ORDER BY: by what the query promises, no more.

DuckDB answers the query once as it stands and once without its LIMIT, with the keys of its ORDER BY as further columns. Rows
whose keys are equal tie. An answer is right if, tie after tie, its rows are the tie's rows in any order; of the tie that LIMIT
cuts, any of them in the number that is left, each as often as it is there. So the order of the keys is checked to the row, and
nothing is asked that the text leaves open. Without ORDER BY all rows tie. What always holds: DuckDB's own answer to the text as
it stands passes. A LIMIT inside a subquery, or row_number() over an order with ties, would leave more open than this knows of:
then DuckDB's answer counts as the only one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from flightmesh.bench.compare import Different, Row, assert_same_columns, is_same_row, rows_of, unpaired
from flightmesh.dataclass import dataclass

_OWN_SCHEMA = re.compile(r'\bmain\."?(\w+)"?\(')
"""How DuckDB names a column that was given no name: some functions with their schema, in quotes. That is not compared."""
_AHEAD = 1000
"""Rows behind the last wanted one that are looked at for the end of its tie."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query may answer: names and types as in `plain`, rows as `ties` say."""

    plain: pa.Table
    ties: tuple[tuple[Row, ...], ...]
    """Rows that tie, in the order of their keys, through the whole of the tie that LIMIT cuts."""


def answer_from(plain: pa.Table, whole: pa.Table, columns: Sequence[int], keys: Sequence[int]) -> Answer:
    """The answer from DuckDB's two: as it stands, and without LIMIT, where `columns` are the query's and `keys` its keys."""
    named = plain.rename_columns([_OWN_SCHEMA.sub(r"\1(", name) for name in plain.column_names])
    found = Answer(named, _ties(whole.select(list(columns)), whole.select(list(keys)), plain.num_rows))
    assert_answers(named, found)
    return found


def assert_answers(got: pa.Table, expected: Answer) -> None:
    """Raises Different unless the table is one that the query may answer, with its names and types."""
    assert_same_columns(got, expected.plain)
    _assert_rows(rows_of(got), expected.plain.num_rows, expected.ties)


def assert_answers_in_value(got: pa.Table, expected: Answer) -> None:
    """The same, but other names and other types of numbers are let pass, and numbers are equal to six digits or four decimals:
    engines have their own ideas of the types of averages and sums."""
    width = expected.plain.num_columns
    if got.num_columns != width:
        raise Different(f"{got.num_columns} columns, expected {width}")
    mine = rows_of(got)
    if len(mine) != expected.plain.num_rows:
        raise Different(f"{len(mine)} rows, expected {expected.plain.num_rows}")
    start = 0
    for tie in expected.ties:
        rows = mine[start : start + len(tie)]
        left = sorted(tie, key=_in_some_order)
        for row in sorted(rows, key=_in_some_order):
            match = next((number for number, other in enumerate(left) if _is_like(row, other)), None)
            if match is None:
                raise Different(f"{row} is not among {len(tie)} rows such as {tie[0]}")
            left.pop(match)
        start += len(tie)


def _assert_rows(mine: list[Row], wanted: int, ties: Sequence[Sequence[Row]]) -> None:
    if len(mine) != wanted:
        raise Different(f"{len(mine)} rows, expected {wanted}")
    start = 0
    for tie in ties:
        rows = mine[start : start + len(tie)]
        extra, _ = unpaired(rows, list(tie))
        if extra:
            last = start + len(rows) - 1
            raise Different(f"rows {start} to {last}: {extra[:3]} are not among the {len(tie)} of {list(tie[:3])}")
        start += len(tie)


def _in_some_order(row: Row) -> tuple[str, ...]:
    """The same for rows that are alike, nearly always: then the first that is left is the one."""
    return tuple(f"{value:.3e}" if isinstance(value, int | float | Decimal) else str(value) for value in row)


def _is_like(left: Row, right: Row) -> bool:
    return all(_is_value_like(a, b) for a, b in zip(left, right, strict=True))


def _is_value_like(left: Any, right: Any) -> bool:
    if isinstance(left, int | float | Decimal) and isinstance(right, int | float | Decimal):
        return math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-4)
    return bool(left == right)


def _ties(rows: pa.Table, keys: pa.Table, wanted: int) -> tuple[tuple[Row, ...], ...]:
    """Rows in runs of equal keys, until there are as many as are wanted. Only so many are looked at as that takes."""
    looked = wanted + _AHEAD
    while True:
        found = tuple(_runs(rows_of(rows.slice(0, looked)), rows_of(keys.slice(0, looked)), wanted))
        if looked >= rows.num_rows or sum(map(len, found)) < looked:
            return found
        looked *= 2


def _runs(rows: list[Row], keys: list[Row], wanted: int) -> Iterator[tuple[Row, ...]]:
    start = 0
    while start < wanted:
        end = start + 1
        while end < len(rows) and is_same_row(keys[end], keys[end - 1]):
            end += 1
        yield tuple(rows[start:end])
        start = end

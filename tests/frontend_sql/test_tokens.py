"""Words that sqlglot's tokenizer or parser reads otherwise than SQL: exponents before a sign, strings, typed literals."""

from __future__ import annotations

import pytest
from sqlglot.dialects.dialect import Dialect

from flightmesh.errors import InvalidQuery, Position
from flightmesh.frontend.sql.tokens import tokenized
from tests.frontend_sql.tables import plan


@pytest.mark.parametrize(
    ("dialect", "text", "words"),
    [
        ("duckdb", "1e9+1", ["1e9", "+", "1"]),
        ("duckdb", "1e-9-1 -2", ["1e-9", "-", "1", "-", "2"]),
        ("duckdb", "1e9+1e5-3e1+x", ["1e9", "+", "1e5", "-", "3e1", "+", "x"]),
        ("duckdb", "1.5e3+2.5", ["1.5e3", "+", "2.5"]),
        ("duckdb", "1_0e2+1_0", ["1_0e2", "+", "1_0"]),
        ("duckdb", "'1e9+1' 1e9--1\n+1", ["'1e9+1'", "1e9", "+", "1"]),
        ("mysql", "1e9+1", ["1e9", "+", "1"]),
        ("bigquery", "1e9-1", ["1e9", "-", "1"]),
    ],
)
def test_a_sign_after_an_exponent_is_an_operator(dialect: str, text: str, words: list[str]) -> None:
    tokens = tokenized(text, Dialect.get_or_raise(dialect))
    assert [text[token.start : token.end + 1] for token in tokens] == words


def test_many_swallowed_signs_are_read_at_once() -> None:
    text = ",".join(["1e9+1"] * 20_000)
    tokens = tokenized(text, Dialect.get_or_raise("duckdb"))
    assert len(tokens) == 20_000 * 4 - 1
    assert (tokens[-1].start, tokens[-1].end) == (len(text) - 1, len(text) - 1)


def test_errors_after_a_swallowed_sign_keep_their_place() -> None:
    with pytest.raises(InvalidQuery) as caught:
        plan("select 1e9+1, 1e9-1\nfrom t where 1e9+1 > nope")
    assert caught.value.position == Position(2, 22, 4)


def test_a_syntax_error_after_a_swallowed_sign_keeps_its_place() -> None:
    with pytest.raises(InvalidQuery) as caught:
        plan("select 1e9+1 a b from t")
    assert (caught.value.message, caught.value.position) == ("syntax error at 'b'", Position(1, 16, 1))


def test_errors_beside_a_typed_literal_keep_their_place() -> None:
    with pytest.raises(InvalidQuery) as caught:
        plan("select date '2024-01-31'::varchar || nope from t")
    assert caught.value.position == Position(1, 38, 4)

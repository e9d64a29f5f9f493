"""What is said of syntax errors beyond their place: keywords that were meant, the calls that a function takes.

Handed the tokens of a statement and the one at which parsing stopped; hands on a hint or a better error, if there is one.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from itertools import pairwise

from sqlglot.tokenizer_core import Token, TokenType

from flightmesh.expression.aggregates import AGGREGATES
from flightmesh.expression.registry import find_function
from flightmesh.expression.signatures import describe_signatures

_KEYWORDS = (
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "JOIN",
    "UNION",
    "BETWEEN",
    "DISTINCT",
    "OFFSET",
    "BY",
)
_AFTER_GROUPS = frozenset(
    {TokenType.ORDER_BY, TokenType.HAVING, TokenType.LIMIT, TokenType.QUALIFY, TokenType.UNION, TokenType.R_PAREN}
)
_BEFORE_BY = frozenset({"GROUP", "ORDER", "PARTITION"})


def keyword_hint(token: Token, tokens: Sequence[Token]) -> str | None:
    """A misspelt keyword is read as a name, so the error is at the word or at the one after it."""
    before = _before(token, tokens)
    if before is not None and before.text.upper() in _BEFORE_BY:
        return f"did you mean {before.text.upper()} BY?"
    if before is not None and before.token_type is TokenType.EXISTS:
        return "a subquery stands in parentheses: EXISTS (SELECT ...)"
    for other in (token, before or token):
        word = other.text.upper()
        if word in _KEYWORDS:
            continue
        near = difflib.get_close_matches(word, _KEYWORDS, n=1, cutoff=0.75)
        if near:
            return f"did you mean {near[0]} instead of {other.text}?"
    return None


def call_at(token: Token, tokens: Sequence[Token]) -> Token | None:
    """The name of the call within whose parentheses a token stands, or that it closes."""
    depth = 0
    for number in range(_place(token, tokens) - 1, 0, -1):
        kind = tokens[number].token_type
        if kind is TokenType.R_PAREN:
            depth += 1
        elif kind is TokenType.L_PAREN:
            if depth == 0:
                return tokens[number - 1]
            depth -= 1
    return None


def accepted_calls(name: str) -> str | None:
    """The calls that a function or an aggregate takes, as a hint; None for what is neither."""
    function = find_function(name.lower())
    if function is not None:
        return f"accepted: {'; '.join(describe_signatures(function))}"
    entry = AGGREGATES.get(name.lower())
    return None if entry is None else f"accepted: {entry.usage}"


def lacking(tokens: Sequence[Token]) -> Token | None:
    """Where something is missing that the parser would not miss: a comma with nothing before it, an empty GROUP BY."""
    for before, token in pairwise(tokens):
        if token.token_type is TokenType.COMMA and before.token_type in (TokenType.COMMA, TokenType.L_PAREN):
            return token
        if before.token_type is TokenType.GROUP_BY and token.token_type in _AFTER_GROUPS:
            return token
    return tokens[-1] if tokens[-1].token_type is TokenType.GROUP_BY else None


def _before(token: Token, tokens: Sequence[Token]) -> Token | None:
    number = _place(token, tokens)
    return tokens[number - 1] if number else None


def _place(token: Token, tokens: Sequence[Token]) -> int:
    return next((i for i, other in enumerate(tokens) if other is token), 0)

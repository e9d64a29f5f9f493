"""Interval literals of which the parser would read the first part alone and drop the rest.

Handed the tokens of a text; hands on the same with `INTERVAL '3 days 04:05'` as `CAST('3 days 04:05' AS INTERVAL)`, which is
read as a whole, or refused as a whole. What always holds: every token that is put in has the place of the literal.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType


def whole_intervals(tokens: list[Token]) -> list[Token]:
    """The tokens, with literals whole."""
    made: list[Token] = []
    for token in tokens:
        if made and made[-1].token_type is TokenType.INTERVAL and token.token_type is TokenType.STRING and _is_cut(token.text):
            made.pop()
            made += _cast(token)
        else:
            made.append(token)
    return made


def _is_cut(text: str) -> bool:
    """Whether the parser finds a number with a unit in the text, and something more."""
    return len(exp.INTERVAL_STRING_RE.findall(text)) == 1 and exp.INTERVAL_STRING_RE.fullmatch(text) is None


def _cast(literal: Token) -> list[Token]:
    parts = (
        (TokenType.VAR, "CAST"),
        (TokenType.L_PAREN, "("),
        (TokenType.STRING, literal.text),
        (TokenType.ALIAS, "AS"),
        (TokenType.INTERVAL, "INTERVAL"),
        (TokenType.R_PAREN, ")"),
    )
    return [Token(kind, text, literal.line, literal.col, literal.start, literal.end) for kind, text in parts]

"""Words of a text, as a parser can take them.

Handed a text and sqlglot's dialect; hands on sqlglot's tokens with what its tokenizer and parser read otherwise than SQL put
right: `1e9+1` is three tokens, `e'a\\nb'` and `$$x$$` are strings, and `DATE '2024-01-31'::VARCHAR` casts the date. What
always holds: offsets are those of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from sqlglot.dialects.dialect import Dialect
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

_SIGN_AFTER_EXPONENT = re.compile(r"[0-9_]+(?:\.[0-9_]*)?[eE][0-9]+(?=[+-][0-9])")
_FRAME_STARTS = frozenset({TokenType.BETWEEN, TokenType.NUMBER})
_NUMBERS = frozenset({TokenType.NUMBER, TokenType.VAR})
_TYPE_WORDS = frozenset(Parser.TYPE_TOKENS) - {TokenType.IDENTIFIER, TokenType.VAR, TokenType.INTERVAL}


def tokenized(text: str, dialect: Dialect) -> list[Token]:
    """The tokens of a text. Raises sqlglot's TokenError."""
    return _groups_frames(_typed_literals([_string(token, text) for token in _numbers_apart(text, dialect)]))


def _numbers_apart(text: str, dialect: Dialect) -> list[Token]:
    """The tokens of the text, a sign after an exponent's digits being one of its own: where one was swallowed, the text is read
    again with a space before it."""
    gaps: list[int] = []
    spaced, tokens = text, dialect.tokenize(text)
    while found := _swallowed(spaced, tokens):
        known = _spaced(gaps)
        gaps = sorted([*(_original(gap, known) for gap in found), *gaps])
        spaced = "".join(text[start:end] + " " for start, end in zip([0, *gaps], gaps, strict=False)) + text[gaps[-1] :]
        tokens = dialect.tokenize(spaced)
    if not gaps:
        return tokens
    known = _spaced(gaps)
    return [
        Token(t.token_type, t.text, t.line, t.col, _original(t.start, known), _original(t.end, known), t.comments)
        for t in tokens
    ]


def _swallowed(text: str, tokens: list[Token]) -> list[int]:
    """Offsets of the signs that number tokens hold after their exponents."""
    matches = (_SIGN_AFTER_EXPONENT.match(text, token.start, token.end + 1) for token in tokens if token.token_type in _NUMBERS)
    return [match.end() for match in matches if match is not None]


def _spaced(gaps: list[int]) -> list[int]:
    """Where the spaces are, once one stands before each of `gaps`."""
    return [gap + number for number, gap in enumerate(gaps)]


def _original(offset: int, spaces: list[int]) -> int:
    """The offset in the text of what stands at `offset` in the one with spaces."""
    return offset - bisect_left(spaces, offset)


def _string(token: Token, text: str) -> Token:
    """The token, as a plain string if it is text in another notation."""
    escaped = token.token_type is TokenType.BYTE_STRING and text[token.start : token.start + 1] in ("e", "E")
    if not escaped and token.token_type is not TokenType.HEREDOC_STRING:
        return token
    return Token(TokenType.STRING, token.text, token.line, token.col, token.start, token.end, token.comments)


def _groups_frames(tokens: list[Token]) -> list[Token]:
    """Tokens with GROUPS as a word of frames where it is one right after an opening parenthesis: there the parser takes it
    for the name of a window."""
    for number in range(1, len(tokens) - 1):
        token, after = tokens[number], tokens[number + 1]
        if token.text.upper() != "GROUPS" or tokens[number - 1].token_type is not TokenType.L_PAREN:
            continue
        if after.token_type in _FRAME_STARTS or after.text.upper() in ("UNBOUNDED", "CURRENT"):
            tokens[number] = Token(TokenType.ROWS, token.text, token.line, token.col, token.start, token.end, token.comments)
    return tokens


def _typed_literals(tokens: list[Token]) -> list[Token]:
    """Tokens with parentheses around each typed literal that `::` follows: the parser would cast the text, then read it."""
    result: list[Token] = []
    for number, token in enumerate(tokens):
        result.append(token)
        follower = tokens[number + 1] if number + 1 < len(tokens) else None
        if token.token_type is not TokenType.STRING or follower is None or follower.token_type is not TokenType.DCOLON:
            continue
        first = _type_before(result)
        if first is not None:
            opened = result[first]
            result.insert(first, Token(TokenType.L_PAREN, "(", opened.line, opened.col, opened.start, opened.start))
            result.append(Token(TokenType.R_PAREN, ")", token.line, token.col, token.end, token.end))
    return result


def _type_before(tokens: list[Token]) -> int | None:
    """The index of the first token of the type whose literal the last token is: DATE, DECIMAL(3, 1), TIME WITH TIME ZONE."""
    index = len(tokens) - 2
    if index >= 3 and [token.text.upper() for token in tokens[index - 1 : index + 1]] == ["TIME", "ZONE"]:
        index -= 3
    elif index >= 0 and tokens[index].token_type is TokenType.R_PAREN:
        while index >= 0 and tokens[index].token_type is not TokenType.L_PAREN:
            index -= 1
        index -= 1
    return index if index >= 0 and tokens[index].token_type in _TYPE_WORDS else None

"""Text to syntax tree, by sqlglot.

Handed SQL text and a dialect's name; hands on a sqlglot tree whose leaves know their place, and what leading words
(EXPLAIN) said. What always holds: there is exactly one statement, `?` parameters are numbered in the order of the
text, and every error of the parser is an InvalidQuery with line, column and caret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidQuery, Position
from flightmesh.expression.headroom import is_roomy, with_headroom
from flightmesh.frontend.sql.interval_texts import whole_intervals
from flightmesh.frontend.sql.source import Source
from flightmesh.frontend.sql.statements import Analyze
from flightmesh.frontend.sql.syntax_hints import accepted_calls, call_at, keyword_hint, lacking
from flightmesh.frontend.sql.tokens import tokenized

POSITIONAL = "?"
"""Begins the text of the number literal that stands for a parameter; its name follows, or its ordinal, from 1."""

_SIGILS = frozenset({TokenType.PLACEHOLDER, TokenType.COLON, TokenType.PARAMETER})
_OPERAND_ENDS = frozenset(
    {TokenType.VAR, TokenType.IDENTIFIER, TokenType.STRING, TokenType.NUMBER, TokenType.R_PAREN, TokenType.R_BRACKET}
    | {TokenType.NULL}
)

_EXPLAIN = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*explain\b(?P<analyze>\s+analyze\b)?", re.IGNORECASE | re.DOTALL)
_QUERY_STARTS = frozenset(
    {TokenType.SELECT, TokenType.WITH, TokenType.FROM, TokenType.VALUES, TokenType.L_PAREN, TokenType.TABLE}
)
_STATEMENT_STARTS = _QUERY_STARTS | {TokenType.CREATE, TokenType.DROP}


@dataclass(frozen=True, slots=True)
class Parsed:
    """One statement: its tree, and the EXPLAIN before it if there was one."""

    tree: exp.Expr
    explain: Analyze | None


def dialect_named(name: str) -> Dialect:
    """sqlglot's dialect of this name. Raises InvalidQuery for an unknown one."""
    try:
        dialect = Dialect.get_or_raise(name)
        dialect.INDEX_OFFSET = 0  # subscripts stay as they are written: `first_place` says from where they count
        return dialect
    except ValueError:
        known = sorted(key for key in Dialect.classes if key)
        near = difflib.get_close_matches(name.lower(), known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"dialects are {', '.join(known)}"
        raise InvalidQuery(f"there is no SQL dialect {name!r}", hint=hint) from None


def first_place(name: str) -> int:
    """The subscript of a list's first element in a dialect: 1 in duckdb, 0 in some."""
    return Dialect.get_or_raise(name).INDEX_OFFSET


def parse_statement(source: Source, dialect: Dialect) -> Parsed:
    """The one statement of a text."""
    text, explain = _without_explain(source)
    tokens = _one_statement(source, _tokens(source, dialect, text))
    first = tokens[0]
    if first.token_type not in _STATEMENT_STARTS:
        raise _not_a_statement(source, first)
    return Parsed(_parse(source, dialect, tokens), explain)


def parameter_names(text: str, dialect: str = "duckdb") -> tuple[str, ...]:
    """The parameters of a statement, each once, in the order of the text; those of `?` are `1`, `2`, ..."""
    source = Source(text)
    statement, _ = _without_explain(source)
    tokens = _tokens(source, dialect_named(dialect), statement)
    names = [token.text[len(POSITIONAL) :] for token in tokens if token.text.startswith(POSITIONAL) and _is_number(token)]
    return tuple(dict.fromkeys(names))


def _is_number(token: Token) -> bool:
    return bool(token.token_type is TokenType.NUMBER)


def parse_expression(text: str, dialect: str = "duckdb", *, name: str | None = None) -> exp.Expr:
    """One scalar expression (or `expr AS name`, or a star), with places relative to `text`; `name` is the file errors name."""
    source = Source(text, name)
    speech = dialect_named(dialect)
    tokens = _one_statement(source, _tokens(source, speech, text))
    select = Token(TokenType.SELECT, "SELECT", 1, 0, 0, 0)
    try:
        tree = with_headroom(lambda: _parse(source, speech, [select, *tokens]))
    except RecursionError:
        raise too_deep() from None
    items = tree.expressions if isinstance(tree, exp.Select) else []
    extra = [key for key, value in tree.args.items() if value and key != "expressions"]
    if len(items) != 1 or extra:
        raise source.error("expected one expression", tree, "write each expression on its own")
    found: exp.Expr = items[0]
    found.pop()
    return found


def _without_explain(source: Source) -> tuple[str, Analyze | None]:
    """The text with a leading EXPLAIN [ANALYZE] blanked out: sqlglot takes all that follows it for one string."""
    match = _EXPLAIN.match(source.text)
    if match is None:
        return source.text, None
    rest = source.text[match.end() :]
    if not rest.strip(" \t\r\n;"):
        raise InvalidQuery("EXPLAIN needs a query", position=_end_of(source), text=source.text)
    blank = re.sub(r"[^\n]", " ", match[0])
    return blank + rest, Analyze.NO if match["analyze"] is None else Analyze.YES


LAST_PLACE = str(2**31 - 1)
"""A place past the end of any list."""


def _tokens(source: Source, dialect: Dialect, text: str) -> list[Token]:
    try:
        tokens = tokenized(text, dialect)
    except TokenError as error:
        raise _token_error(source, error) from None
    if not tokens or all(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise InvalidQuery("there is no statement", hint="write a query, such as SELECT 1")
    return with_parameters(whole_intervals(tokens))


def with_parameters(tokens: list[Token]) -> list[Token]:
    """`?`, `:name` and `$name` as number literals that carry the name (`?`: its ordinal), since the parser keeps the places of
    literals and not those of parameters."""
    if not any(token.token_type in _SIGILS for token in tokens):
        return tokens
    result: list[Token] = []
    count = 0
    rest = iter(range(len(tokens)))
    for number in rest:
        token = tokens[number]
        after = tokens[number + 1] if number + 1 < len(tokens) else None
        if token.token_type is TokenType.PLACEHOLDER and token.text == "?":
            count += 1
            token = _parameter(str(count), token, token)
        elif _is_slice(token, result):
            result.append(_number("1", token))
        elif token.token_type is TokenType.DASH and after is not None and _is_between_colons(after, result):
            token = _number(LAST_PLACE, token)
        elif after is not None and _is_sigil(token, after, result[-1] if result else None):
            token = _parameter(after.text, token, after)
            next(rest)
        result.append(token)
    return result


def _parameter(name: str, first: Token, last: Token) -> Token:
    return Token(TokenType.NUMBER, f"{POSITIONAL}{name}", last.line, last.col, first.start, last.end)


def _is_slice(token: Token, before: Sequence[Token]) -> bool:
    """Whether `:` begins a slice, `xs[:n]`: the parser would take it for a parameter's."""
    if token.token_type is not TokenType.COLON or len(before) < 2:
        return False
    return before[-1].token_type is TokenType.L_BRACKET and before[-2].token_type in _OPERAND_ENDS


def _is_between_colons(after: Token, before: Sequence[Token]) -> bool:
    """Whether `-` stands for the end of a list: `xs[1:-:2]`."""
    return after.token_type is TokenType.COLON and bool(before) and before[-1].token_type is TokenType.COLON


def _number(text: str, place: Token) -> Token:
    return Token(TokenType.NUMBER, text, place.line, place.col, place.start, place.end)


def _is_sigil(token: Token, after: Token, before: Token | None) -> bool:
    """Whether `:` or `$` with the word right after it is a parameter, and not a slice, a struct's key or a path into JSON."""
    if token.token_type not in (TokenType.COLON, TokenType.PARAMETER) or token.text not in (":", "$"):
        return False
    if after.start != token.end + 1 or not (after.text.isidentifier() or after.text.isdigit()):
        return False
    if before is not None and before.token_type is TokenType.INTERVAL:
        return False
    return before is None or token.text == "$" or before.token_type not in _OPERAND_ENDS


def _one_statement(source: Source, tokens: list[Token]) -> list[Token]:
    while tokens[-1].token_type is TokenType.SEMICOLON:
        tokens = tokens[:-1]
    for number, token in enumerate(tokens):
        if token.token_type is TokenType.SEMICOLON:
            after = next(t for t in tokens[number + 1 :] if t.token_type is not TokenType.SEMICOLON)
            raise InvalidQuery(
                "the text holds more than one statement",
                hint="send the statements one at a time",
                position=source.at(after.start, after.end),
                text=source.text,
            )
    return tokens


def too_deep() -> InvalidQuery:
    """The error for a query past what can be read."""
    return InvalidQuery("the query is nested too deeply", hint="split it into views or WITH entries")


def _parse(source: Source, dialect: Dialect, tokens: Sequence[Token]) -> exp.Expr:
    _require_room(tokens)
    place = lacking(tokens)
    if place is not None:
        message = f"syntax error at {place.text!r}: something is missing here"
        raise InvalidQuery(message, position=source.at(place.start, place.end), text=source.text)
    try:
        trees = dialect.parser().parse(list(tokens), source.text)
    except ParseError as error:
        raise _parse_error(source, error, tokens) from None
    tree = trees[0] if trees else None
    if tree is None or len(trees) != 1:
        raise InvalidQuery("there is no statement", position=source.at(tokens[0].start, tokens[0].end), text=source.text)
    return tree


def _require_room(tokens: Sequence[Token]) -> None:
    """Raises before the parser, which watches neither its stack nor the recursion limit for every shape, goes too deep."""
    depth = deepest = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise too_deep()
    if deepest > _DEEPEST_HERE and not is_roomy():
        raise RecursionError


_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
_DEEPEST, _DEEPEST_HERE = 2000, 150
"""Brackets within brackets: at most, and on a stack of the usual size."""


def _not_a_statement(source: Source, token: Token) -> InvalidQuery:
    word = token.text.upper()
    known = ("SELECT", "WITH", "FROM", "VALUES", "CREATE", "DROP", "EXPLAIN", "TABLE")
    position = source.at(token.start, token.end)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    if near:
        return InvalidQuery(
            f"{token.text!r} does not begin a statement", hint=f"did you mean {near[0]}?", position=position, text=source.text
        )
    if token.token_type in _OTHER_STATEMENTS or word in _OTHER_WORDS:
        shape = Source(source.text, source.name).unsupported(
            f"the statement {word}", None, f"statements begin with {', '.join(known)}"
        )
        shape.position = position
        return shape
    return InvalidQuery(
        f"{token.text!r} does not begin a statement",
        hint=f"statements begin with {', '.join(known)}",
        position=position,
        text=source.text,
    )


_OTHER_STATEMENTS = frozenset(
    {
        TokenType.INSERT, TokenType.UPDATE, TokenType.DELETE, TokenType.MERGE, TokenType.ALTER, TokenType.SET, TokenType.SHOW,
        TokenType.DESCRIBE, TokenType.SUMMARIZE, TokenType.PIVOT, TokenType.UNPIVOT, TokenType.COPY, TokenType.USE,
        TokenType.PRAGMA,
        TokenType.ATTACH, TokenType.DETACH, TokenType.TRUNCATE, TokenType.COMMIT,
        TokenType.ROLLBACK,
        TokenType.BEGIN, TokenType.ANALYZE, TokenType.EXECUTE, TokenType.GRANT, TokenType.LOAD, TokenType.CACHE,
        TokenType.REFRESH,
    }
)  # fmt: skip
_OTHER_WORDS = frozenset({"CALL", "PREPARE", "EXPORT", "IMPORT", "INSTALL", "CHECKPOINT", "VACUUM", "RESET", "REPLACE"})


def _token_error(source: Source, error: TokenError) -> InvalidQuery:
    """Only an unclosed quote, comment or bracket stops the tokenizer."""
    match = re.search(r"Missing (\S+) from (\d+):(\d+)", str(error))
    if match is None:
        opened = _unclosed_quote(source.text)
        return InvalidQuery("a quote or comment is not closed", position=source.at(opened, opened), text=source.text)
    line, column = int(match[2]), int(match[3])
    return InvalidQuery(
        f"{match[1]} is missing: what begins here is not closed",
        position=Position(line, max(1, column), 1, source.name),
        text=source.text,
    )


def _unclosed_quote(text: str) -> int:
    """The offset of the quote or comment that is still open at the end of the text."""
    pattern = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|--[^\n]*|/\*.*?\*/|(?P<open>['\"`]|/\*)", re.DOTALL)
    for match in pattern.finditer(text):
        if match["open"]:
            return match.start()
    return max(0, len(text) - 1)


def _parse_error(source: Source, error: ParseError, tokens: Sequence[Token]) -> InvalidQuery:
    first: dict[str, Any] = error.errors[0] if error.errors else {}
    token = _token_at(tokens, first)
    if token is None:
        return InvalidQuery("syntax error at the end of the text", position=_end_of(source), text=source.text)
    said = str(first.get("description") or "")
    if "SENTINEL" in said:
        return InvalidQuery("syntax error: the text ends too early", position=_end_of(source), text=source.text)
    position = source.at(token.start, token.end)
    if said.startswith("The number of provided arguments"):
        return _wrong_count(source, token, tokens, "too many")
    missing = re.match(r"Expecting (.+)", said) or re.match(r"Expected (.+)", said)
    required = re.match(r"Required keyword: '(\w+)' missing for (?:<class '[\w.]*?)?(\w+)'?>?", said)
    if required and token.token_type is TokenType.R_PAREN and call_at(token, tokens) is not None:
        return _wrong_count(source, token, tokens, "too few")
    if required:
        return InvalidQuery(f"syntax error at {token.text!r}: something is missing here", position=position, text=source.text)
    if missing:
        return InvalidQuery(
            f"syntax error at {token.text!r}: expected {missing[1].split(' but got')[0].rstrip('.')}",
            position=position,
            text=source.text,
        )
    return InvalidQuery(
        f"syntax error at {token.text!r}", hint=keyword_hint(token, tokens), position=position, text=source.text
    )


def _wrong_count(source: Source, token: Token, tokens: Sequence[Token], what: str) -> InvalidQuery:
    """A call with too many or too few arguments, with those that it takes where the function is known."""
    call = call_at(token, tokens)
    position = source.at(token.start, token.end)
    hint = None if call is None else accepted_calls(call.text)
    if call is None or hint is None:
        if what == "too many":
            return InvalidQuery("too many arguments for this function", position=position, text=source.text)
        return InvalidQuery(f"syntax error at {token.text!r}: something is missing here", position=position, text=source.text)
    return InvalidQuery(f"{what} arguments for {call.text.lower()}", hint=hint, position=position, text=source.text)


def _token_at(tokens: Sequence[Token], place: dict[str, Any]) -> Token | None:
    line, column = place.get("line"), place.get("col")
    return next((token for token in tokens if token.line == line and token.col == column), None)


def _end_of(source: Source) -> Position:
    last = len(source.text.rstrip()) - 1
    return source.at(max(0, last), max(0, last))

"""A text that a person wrote, and where in it a syntax tree's nodes stand.

Handed a query text; hands on positions and errors with a caret. What always holds: tokens, names and literals carry
their offsets in `meta` ("start", "end"), and any other node spans what stands below it.
"""

from __future__ import annotations

import re

from sqlglot import exp

from flightmesh.errors import InvalidQuery, Position, UnsupportedFeature

Span = tuple[int, int]


class Source:
    """The text of one query, view or plan."""

    def __init__(self, text: str, name: str | None = None) -> None:
        """`name`: the file that positions name, if any."""
        self.text = text
        self.name = name
        self._spans: dict[int, Span | None] = {}

    def position(self, node: exp.Expr | None) -> Position | None:
        """Where a node stands, or else the part of the query around it; None where nothing around has a place."""
        span = None if node is None else self._span(node) or self._span_of_word(node)
        while node is not None and span is None:
            span, node = self._span(node), node.parent
        return None if span is None else self.at(*span)

    def has_place(self, node: exp.Expr) -> bool:
        """Whether it is known where the node itself stands."""
        return self._span(node) is not None

    def at(self, start: int, end: int) -> Position:
        """The position of the characters from `start` to `end`, both included; one that spans lines ends with its first."""
        line = self.text.count("\n", 0, start) + 1
        column = start - (self.text.rfind("\n", 0, start) + 1) + 1
        stop = self.text.find("\n", start)
        last = end if stop < 0 else min(end, stop - 1)
        return Position(line, column, max(1, last - start + 1), self.name)

    def error(self, message: str, node: exp.Expr | None, hint: str | None = None) -> InvalidQuery:
        """The query's fault, at a node."""
        return InvalidQuery(message, hint=hint, position=self.position(node), text=self.text)

    def error_at_word(self, message: str, word: str, node: exp.Expr | None, hint: str | None = None) -> InvalidQuery:
        """The same, at a word that the tree keeps no place of: where the text has it once, else at the node."""
        span = self._once(word)
        if span is None:
            return self.error(message, node, hint)
        return InvalidQuery(message, hint=hint, position=self.at(*span), text=self.text)

    def unsupported(self, what: str, node: exp.Expr | None, hint: str | None = None) -> UnsupportedFeature:
        """Right SQL that is not done yet, at a node; `what` is a noun phrase in the singular or plural as written."""
        return UnsupportedFeature(f"not supported yet: {what}", hint=hint, position=self.position(node), text=self.text)

    def complete(self, error: InvalidQuery) -> InvalidQuery:
        """Gives an error that knows its position the text for its caret."""
        if error.text is None and error.position is not None:
            error.text = self.text
        return error

    def word(self, node: exp.Expr) -> str | None:
        """The word that a function's call begins with, as the text has it; None where the node has no place of its own."""
        start = (node._meta or {}).get("start")
        match = None if start is None else re.compile(r"[A-Za-z_]\w*").match(self.text, start)
        return None if match is None else match[0]

    def before(self, node: exp.Expr) -> str | None:
        """The word or sign that stands before a node and its opening parentheses; None for a node without a place."""
        span = self._span(node)
        words = [] if span is None else self.text[: span[0]].rstrip("( \t\r\n").split()
        return words[-1] if words else None

    def after(self, node: exp.Expr) -> str | None:
        """The text that stands after a node; None for a node without a place."""
        span = self._span(node)
        return None if span is None else self.text[span[1] + 1 :]

    def _once(self, word: str) -> Span | None:
        """Where a word stands, if it does so once."""
        found = list(re.finditer(rf"(?<![\w'\"]){re.escape(word)}(?![\w'\"])", self.text, re.IGNORECASE))
        return (found[0].start(), found[0].end() - 1) if len(found) == 1 else None

    def _span_of_word(self, node: exp.Expr) -> Span | None:
        """The place of a node of which nothing has one, by a bare word in it: the part in EXTRACT(part FROM ...)."""
        return next((span for part in node.find_all(exp.Var) if (span := self._once(part.name)) is not None), None)

    def _span(self, node: exp.Expr) -> Span | None:
        known = self._spans.get(id(node))
        if known is not None:
            return known
        meta = node._meta
        start = meta.get("start") if meta else None
        found = None if meta is None or start is None else (start, meta["end"])
        for child in node.iter_expressions():
            span = self._span(child)
            if span is not None:
                found = span if found is None else (min(found[0], span[0]), max(found[1], span[1]))
        self._spans[id(node)] = found
        return found

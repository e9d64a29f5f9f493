"""Parses the SQL in a plan with sqlglot, so that every node of a tree knows its place in the plan file.

Handed a scalar of a `Document`; hands on a sqlglot tree. What always holds: `meta` of a node ("line", "col", "start",
"end") speaks of the plan file exactly as sqlglot's speaks of a query text (`start` and `end` are offsets of the first
and last character, `col` is that of the last), so whoever reads positions from trees reads them right.
"""

from __future__ import annotations

import enum
import re
from typing import Any

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from flightmesh.errors import InvalidPlan
from flightmesh.frontend.sql.parameters import parameter_name
from flightmesh.frontend.sql.parse import dialect_named, with_parameters
from flightmesh.frontend.sql.tokens import tokenized
from flightmesh.frontend.yaml.document import Document, Node
from flightmesh.frontend.yaml.validation import nearest

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Place(enum.Enum):
    """Where an expression stands; the value is the SQL that makes it one of a whole query."""

    ITEM = "SELECT "
    CONDITION = "SELECT 1 WHERE "
    ORDER = "SELECT 1 ORDER BY "
    QUERY = ""


def is_name(text: str) -> bool:
    """Whether a text is a bare column name rather than an expression."""
    return _NAME.fullmatch(text.strip()) is not None


class Fragments:
    """Parser for the expressions of one plan: its document, its dialect, its parameters' names."""

    def __init__(self, document: Document, dialect: str, params: tuple[str, ...]) -> None:
        self._document = document
        self._dialect = dialect_named(dialect)
        self._params = params

    def item(self, node: Node) -> exp.Expr:
        """One expression, with or without a name (`expr as name`), or a star."""
        return self._only(node, self._parse(node, Place.ITEM).expressions, "one expression")

    def expression(self, node: Node) -> exp.Expr:
        """One expression without a name."""
        tree = self.item(node)
        if isinstance(tree, exp.Alias):
            raise self._document.error("the expression has a name already", node, "remove `as ...`, or fix the words in it")
        return tree

    def condition(self, node: Node) -> exp.Expr:
        """One condition."""
        where = self._parse(node, Place.CONDITION).args.get("where")
        return self._only(node, [where.this] if where else [], "one condition")

    def order(self, node: Node) -> list[exp.Expr]:
        """One or more sort keys."""
        order = self._parse(node, Place.ORDER).args.get("order")
        return list(order.expressions) if order else []

    def query(self, node: Node) -> exp.Query:
        """A whole query."""
        tree = self._parse(node, Place.QUERY)
        if not isinstance(tree, exp.Query):
            raise self._document.error(f"sql must be a query, not {tree.key.upper()}", node, "begin with select or with")
        return tree

    def identifier(self, node: Node, name: str) -> exp.Identifier:
        """An identifier that stands where `node` does."""
        identifier = exp.to_identifier(name, quoted=not is_name(name))
        self._mark(identifier, node.start, max(node.start, node.end - 1))
        return identifier

    def _only(self, node: Node, found: list[exp.Expr], what: str) -> exp.Expr:
        if len(found) == 1:
            return found[0]
        raise self._document.error(
            f"expected {what}, found {len(found)}", node, "write a list with one item for each expression"
        )

    def _parse(self, node: Node, place: Place) -> Any:
        text, offsets = str(node.value), self._document.offsets(node)
        try:
            tokens = with_parameters(tokenized(place.value + text, self._dialect))
            trees = [tree for tree in self._dialect.parser().parse(tokens, place.value + text) if tree is not None]
        except ParseError as error:
            raise self._parse_error(node, place, offsets, error) from None
        except TokenError:
            raise self._document.error("a quote or comment is not closed here", node) from None
        if len(trees) != 1:
            raise self._document.error("expected one query", node, "remove the semicolon" if trees else None)
        tree = trees[0]
        self._relocate(tree, len(place.value), offsets)
        if place is not Place.QUERY:
            self._refuse_clauses(node, tree, place)
        self._check_params(node, tree)
        return tree

    def _relocate(self, tree: exp.Expr, shift: int, offsets: list[int]) -> None:
        last = len(offsets) - 2
        for part in tree.walk():
            start = part.meta.get("start") if part._meta else None
            if start is not None:
                first, end = start - shift, part.meta["end"] - shift
                self._mark(part, offsets[max(0, min(first, last))], offsets[max(0, min(end, last))])

    def _mark(self, part: exp.Expr, start: int, end: int) -> None:
        place = self._document.position(end)
        part.meta.update({"line": place.line, "col": place.column, "start": start, "end": end})

    def _refuse_clauses(self, node: Node, tree: exp.Expr, place: Place) -> None:
        """An expression must not go on into another clause of a query."""
        own = {Place.ITEM: "expressions", Place.CONDITION: "where", Place.ORDER: "order"}[place]
        extra = [key for key, value in tree.args.items() if value and key not in (own, "expressions", "kind", "hint")]
        if extra or not isinstance(tree, exp.Select):
            word = extra[0].removesuffix("_").replace("_", " ") if extra else tree.key
            raise self._document.error(
                f"expected an expression, but {word} follows", node, "give it its own key in the step, or use sql"
            )

    def _check_params(self, node: Node, tree: exp.Expr) -> None:
        for part in tree.find_all(exp.Placeholder, exp.Parameter, exp.Literal):
            name = parameter_name(part)
            if name is None or name in self._params:
                continue
            start, end = (part.meta["start"], part.meta["end"] + 1) if part.meta else (node.start, node.end)
            if not name or name.isdigit():
                hint = "write :name and declare it under params"
                raise self._document.error_at("parameters of a plan have names", start, end, hint)
            hint = nearest(name, self._params) or f"declare it under params: {{{name}: ...}}"
            raise self._document.error_at(f"no parameter is named {name!r}", start, end, hint)

    def _parse_error(self, node: Node, place: Place, offsets: list[int], error: ParseError) -> InvalidPlan:
        first: dict[str, Any] = error.errors[0] if error.errors else {}
        text = place.value + str(node.value)
        lines = text.split("\n")
        line, word = int(first.get("line") or 1), str(first.get("highlight") or "")
        end = sum(len(part) + 1 for part in lines[: line - 1]) + int(first.get("col") or 1)
        start = min(max(end - len(word), 0), len(text)) - len(place.value)
        offset = offsets[max(0, min(start, len(offsets) - 1))]
        if not word or start < 0:
            return self._document.error(
                "this is not an expression" if place is not Place.QUERY else "this is not a query", node
            )
        hint = "write a list with one item for each expression" if word == "," else None
        return self._document.error_at(f"unexpected {word!r} in this SQL", offset, offset + len(word), hint)

"""Values for `:name`, `$name`, `$1` and `?`.

Handed what the caller gave (a mapping of names, or a sequence); hands on a typed Literal for each place that asks for
one. What always holds: a value never passes through text, and a parameter that is missing, or given but never asked
for, is an InvalidQuery.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from flightmesh.errors import InvalidQuery, with_article
from flightmesh.expression.nodes import Literal
from flightmesh.frontend.sql import literals
from flightmesh.frontend.sql.parse import POSITIONAL
from flightmesh.frontend.sql.source import Source

Params = Mapping[str, Any] | Sequence[Any] | None


def parameter_name(node: exp.Expr) -> str | None:
    """The name or number of a parameter; None for a node that is none."""
    if isinstance(node, exp.Placeholder | exp.Parameter):
        inner = node.this
        return str(inner.name if isinstance(inner, exp.Expr) else inner or "")
    if isinstance(node, exp.Literal) and not node.is_string and node.this.startswith(POSITIONAL):
        return str(node.this[len(POSITIONAL) :])
    return None


class Parameters:
    """The parameters of one statement."""

    def __init__(self, given: Params) -> None:
        """`given`: name -> value, or values in the order of `?` and the numbers of `$1`."""
        if given is None:
            self._given: dict[str, Any] = {}
        elif isinstance(given, Mapping):
            self._given = {str(name).lstrip(":$@"): value for name, value in given.items()}
        elif isinstance(given, str | bytes):
            raise InvalidQuery(
                "params must be a mapping of names or a list of values", hint='for instance params={"floor": 1000}'
            )
        else:
            self._given = {str(number): value for number, value in enumerate(given, 1)}

    def literal(self, node: exp.Expr, source: Source) -> Literal:
        """The value of the parameter that a node is."""
        name = parameter_name(node) or ""
        if name not in self._given:
            raise self._missing(node, name, source)
        value = self._given[name]
        try:
            found = literals.of_python(value)
        except InvalidQuery as error:
            raise _at(source, node, name, f"the parameter {name!r}: {error.message}", "for a DOUBLE, give a float") from None
        if found is None:
            raise _at(
                source,
                node,
                name,
                f"the parameter {name!r} is {with_article(type(value).__name__)}, which has no SQL type",
                "values are None, bool, int, float, Decimal, str, bytes, date, datetime, time or timedelta",
            )
        return found

    def refuse_unused(self, tree: exp.Expr, source: Source) -> None:
        """Raises for a value that no place of the statement asks for, or at a place that asks for one that is not given."""
        if not self._given:
            return
        nodes = tree.find_all(exp.Placeholder, exp.Parameter, exp.Literal)
        asked = {name: node for node in nodes if (name := parameter_name(node))}
        for name, node in asked.items():
            if name not in self._given:
                raise self._missing(node, name, source)
        for name in self._given:
            if name not in asked:
                shown = ", ".join(sorted(asked))
                hint = _near(name, asked) or (f"the query's parameters are {shown}" if asked else "the query has no parameters")
                raise InvalidQuery(f"the query has no parameter {name!r}", hint=hint)

    def _missing(self, node: exp.Expr, name: str, source: Source) -> InvalidQuery:
        known = ", ".join(self._given)
        hint = _near(name, self._given) or (f"given are {known}" if known else "pass params={...} or params=[...]")
        return _at(source, node, name, f"the parameter {name!r} has no value", hint)


def _near(name: str, known: Any) -> str | None:
    near = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else None


def _at(source: Source, node: exp.Expr, name: str, message: str, hint: str) -> InvalidQuery:
    """An error at a parameter. Named ones have no place in the tree: the first of that name in the text is shown."""
    error = source.error(message, node, hint)
    if error.position is None:
        match = re.search(rf"[:$@]\{{?{re.escape(name)}\b", source.text)
        if match is not None:
            error.position = source.at(match.start(), match.end() - 1)
    return error

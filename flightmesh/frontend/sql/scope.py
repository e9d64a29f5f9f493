"""Names that an expression may read: range variables with their columns, and the scopes around them.

Handed the tables of a FROM clause; hands on Columns for names. What always holds: names match in any case (an exact
match wins), a name in the query's own FROM hides one outside, and a name that fits twice, or nowhere, is an
InvalidQuery with candidates.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidQuery
from flightmesh.expression.nodes import Column, Field
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.source import Source
from flightmesh.ids import ColumnId

if TYPE_CHECKING:
    from flightmesh.frontend.sql.clause import Aggregates


@dataclass(frozen=True, slots=True)
class Range:
    """One table of a FROM clause under the name that the query gives it; `path` is (catalog, schema) where known."""

    name: str
    fields: tuple[Field, ...]
    path: tuple[str, ...] = ()

    def answers(self, parts: tuple[str, ...]) -> bool:
        """Whether a qualifier (table, schema.table, ...) means this one."""
        if parts[-1].casefold() != self.name.casefold():
            return False
        wanted = tuple(part.casefold() for part in parts[:-1])
        return not wanted or wanted == tuple(part.casefold() for part in self.path)[-len(wanted) :]


@dataclass(frozen=True, slots=True)
class Tables:
    """What a FROM clause offers: its range variables, what `*` means, and the columns that USING has merged.

    `hidden` columns answer only to a qualified name; `merged` ones belong to no table.
    """

    ranges: tuple[Range, ...] = ()
    star: tuple[Field, ...] = ()
    hidden: frozenset[ColumnId] = frozenset()
    merged: tuple[Field, ...] = ()

    def refreshed(self, fields: tuple[Field, ...]) -> Tables:
        """The same with `nullable` as the relation over the tables has it."""
        known = {f.id: f.nullable for f in fields}

        def fresh(old: tuple[Field, ...]) -> tuple[Field, ...]:
            return tuple(
                f if known.get(f.id, f.nullable) == f.nullable else Field(f.id, f.name, f.type, known[f.id]) for f in old
            )

        ranges = tuple(Range(r.name, fresh(r.fields), r.path) for r in self.ranges)
        return Tables(ranges, fresh(self.star), self.hidden, fresh(self.merged))


@dataclass(frozen=True, slots=True)
class _Match:
    field: Field
    owner: Range | None

    @property
    def shown(self) -> str:
        return f"{self.owner.name}.{self.field.name}" if self.owner is not None else self.field.name


@dataclass(slots=True)
class Scope:
    """The tables of one query, within the scope of the query around it. `aggregates`: where those go that a subquery computes
    of this query's columns alone, while a clause is bound that may have some."""

    tables: Tables
    parent: Scope | None
    environment: Environment
    aggregates: Aggregates | None = None
    _index: dict[str, list[_Match]] | None = field(default=None)

    @property
    def ids(self) -> frozenset[ColumnId]:
        """The columns that this query's own tables give."""
        return frozenset(f.id for r in self.tables.ranges for f in r.fields) | frozenset(f.id for f in self.tables.merged)

    def find(self, name: str) -> Column | list[str] | None:
        """What a bare name means here, not outside: a column, the candidates of an ambiguous name, or None."""
        found = self._by_name().get(name.casefold(), [])
        if not found:
            return None
        return found[0].field.column() if len(found) == 1 else [match.shown for match in found]

    def qualified(self, qualifier: tuple[str, ...]) -> list[Range]:
        """The range variables here that a qualifier means."""
        return [r for r in self.tables.ranges if r.answers(qualifier)]

    def around(self) -> list[Scope]:
        """This scope and those around it, innermost first."""
        result, scope = [], self
        while True:
            result.append(scope)
            if scope.parent is None:
                return result
            scope = scope.parent

    def _by_name(self) -> dict[str, list[_Match]]:
        if self._index is None:
            index: dict[str, list[_Match]] = {}
            tables = self.tables
            for owner in tables.ranges:
                for item in owner.fields:
                    if item.id not in tables.hidden:
                        index.setdefault(item.name.casefold(), []).append(_Match(item, owner))
            for item in tables.merged:
                if item.id not in tables.hidden:
                    index.setdefault(item.name.casefold(), []).append(_Match(item, None))
            self._index = index
        return self._index


def resolve_qualified(scope: Scope, parts: tuple[str, ...], node: exp.Expr, source: Source) -> Column:
    """The column that `table.column` (or a longer name) means, here or in a query around."""
    qualifier, name = parts[:-1], parts[-1]
    for level in scope.around():
        ranges = level.qualified(qualifier)
        if len(ranges) > 1:
            raise source.error(f"{'.'.join(qualifier)} is ambiguous", node, "give the tables different aliases")
        if ranges:
            return _column_of(ranges[0], name, node, source)
    raise _unknown_table(scope, parts, node, source)


def _column_of(owner: Range, name: str, node: exp.Expr, source: Source) -> Column:
    found = [f for f in owner.fields if f.name.casefold() == name.casefold()]
    if found:
        return found[0].column()
    near = nearest(name, {f.name: f.name for f in owner.fields})
    hint = f"did you mean {near}?" if near else f"its columns are {some_of([f.name for f in owner.fields])}"
    raise source.error(f"{owner.name} has no column {name!r}", _last(node), hint)


def unknown_column(scope: Scope, name: str, node: exp.Expr, source: Source, aliases: Mapping[str, str]) -> InvalidQuery:
    """The error for a bare name that nothing answers to."""
    known: dict[str, str] = {}
    for level in scope.around():
        for owner in level.tables.ranges:
            for item in owner.fields:
                shown = f"{owner.name}.{item.name}"
                known[item.name] = shown if item.name in known else item.name
    known.update(aliases)
    if any(r.name.casefold() == name.casefold() for level in scope.around() for r in level.tables.ranges):
        return source.error(f"{name!r} is a table, not a column", node, f"name one of its columns, or {name}.*")
    near = nearest(name, known)
    if near:
        hint = f"did you mean {near}?"
    elif known:
        hint = f"columns are {some_of(list(known))}"
    else:
        hint = f"there is no FROM clause; for text write '{name}'"
    return source.error(f"there is no column {name!r}", node, hint)


def _unknown_table(scope: Scope, parts: tuple[str, ...], node: exp.Expr, source: Source) -> InvalidQuery:
    qualifier = parts[:-1]
    ranges = [r for level in scope.around() for r in level.tables.ranges]
    if any(f.name.casefold() == qualifier[0].casefold() for r in ranges for f in r.fields):
        return source.unsupported(f"the fields of {qualifier[0]!r} (nested types)", node)
    near = nearest(qualifier[-1], {r.name: r.name for r in ranges})
    owners = [f"{r.name}.{f.name}" for r in ranges for f in r.fields if f.name.casefold() == parts[-1].casefold()]
    if near:
        hint = f"did you mean {near}.{parts[-1]}?"
    elif owners:
        hint = f"did you mean {' or '.join(owners[:3])}?"
    else:
        hint = f"tables here are {some_of([r.name for r in ranges])}" if ranges else "there is no FROM clause"
    return source.error(f"there is no table {'.'.join(qualifier)!r} in this query", node, hint)


def nearest(name: str, known: Mapping[str, str]) -> str | None:
    """The one to three names nearest to a name, as `known` shows them; None where none is near."""
    folded = {key.casefold(): shown for key, shown in known.items()}
    near = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    return " or ".join(folded[key] for key in near) if near else None


def some_of(names: list[str]) -> str:
    """The first eight names."""
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def _last(node: exp.Expr) -> exp.Expr:
    """The identifier of a column's own name, without its qualifiers."""
    return node.this if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier) else node

"""Binds FROM: tables, views, files, derived tables and joins.

Handed a SELECT's FROM and joins; hands on the relation of their rows and the tables that expressions may name. What
always holds: commas bind weaker than JOIN, each table's columns get fresh ids, what USING merges shows once in `*`,
and a table that reads columns of those before it (LATERAL) is the right side of an Apply.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import field

from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.frontend.sql import series, table_source, unnest_tables, values
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.joined import Joined, side_by_side
from flightmesh.frontend.sql.joins import JoinContext, bind_join, paired
from flightmesh.frontend.sql.names import renamed
from flightmesh.frontend.sql.refusals import refuse_clauses
from flightmesh.frontend.sql.scope import Range, Scope, Tables
from flightmesh.logical.relations import JoinKind


@dataclass(frozen=True, slots=True)
class FromBinder:
    """Binds the FROM clause of one query. `unnamed` numbers the derived tables that have no name there."""

    context: Context
    environment: Environment
    parent: Scope | None
    unnamed: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def bind(self, select: exp.Expr) -> Joined:
        """The rows of a SELECT before WHERE; one row without columns where there is no FROM."""
        first = select.args.get("from_")
        joins: list[exp.Expr] = select.args.get("joins") or []
        if first is None:
            if joins:
                raise self.context.source.error("a join needs FROM", joins[0])
            return Joined(values.one_row(), Tables())
        return self._joined(first.this, joins)

    def _joined(self, first: exp.Expr, joins: list[exp.Expr]) -> Joined:
        groups: list[tuple[exp.Expr, list[exp.Expr]]] = [(first, [])]
        for join in joins:
            if _is_comma(join):
                self._refuse_bare_join(join)
                groups.append((join.this, []))
            else:
                groups[-1][1].append(join)
        source = self._group(*groups[0], None)
        for head, rest in groups[1:]:
            other = self._group(head, rest, source)
            source = self._checked(paired(source, other, JoinKind.INNER, None), head)
        return source

    def _join(self, left: Joined, join: exp.Expr, before: Joined | None) -> Joined:
        right = self.table(join.this, left if before is None else Joined(left.relation, side_by_side(before, left)))
        return bind_join(JoinContext(self.context, self.environment, self.parent), left, right, join)

    def _refuse_bare_join(self, join: exp.Expr) -> None:
        """`a JOIN b` without a condition looks like `a, b` in the tree; only the text tells them apart."""
        if self.context.dialect_name not in ("duckdb", "postgres"):
            return
        word = self.context.source.before(join.this)
        if word is not None and word.upper() == "JOIN":
            raise self.context.source.error("a join needs ON or USING", join, "for every pair of rows write CROSS JOIN")

    def _group(self, head: exp.Expr, joins: list[exp.Expr], before: Joined | None) -> Joined:
        """A table with what is joined to it; `before` is what stands before it in FROM."""
        source = self.table(head, before)
        for join in joins:
            source = self._checked(self._join(source, join, before), join)
        return source

    def _checked(self, source: Joined, node: exp.Expr) -> Joined:
        """Refuses two tables of one name."""
        seen: set[tuple[str, ...]] = set()
        for owner in source.tables.ranges:
            key = (owner.name.casefold(), *(part.casefold() for part in owner.path))
            if key in seen:
                raise self.context.source.error(f"two tables are named {owner.name!r}", node, "give one of them an alias")
            seen.add(key)
        return source

    def table(self, node: exp.Expr, before: Joined | None = None) -> Joined:
        """One table of FROM, under its alias. A lateral one reads columns of the tables `before` it."""
        match node:
            case exp.Table():
                return self._table(node, before)
            case exp.Subquery():
                return self._derived(node, before)
            case exp.Values():
                bound = values.bind_values(node, self.context, self.environment, self._around(before))
                return self._named(bound, node)
            case exp.Lateral():
                return self._lateral(node, before)
            case exp.Unnest():
                return self._named(unnest_tables.bind_unnest(node, self.context, self._own_scope(before)), node, "unnest")
            case exp.Select() | exp.SetOperation():
                bound = self.context.bind_query(node, self.context, self.environment, self._around(before))
                return self._named(bound, node)
        raise self.context.source.unsupported(f"{node.key.upper()} in FROM", node)

    def _around(self, before: Joined | None) -> Scope | None:
        """The scope around a derived table: DuckDB takes each for a lateral one, the standard only where it says so."""
        return self._beside(before) if self.context.dialect_name == "duckdb" else self.parent

    def _beside(self, before: Joined | None) -> Scope | None:
        return self.parent if before is None else Scope(before.tables, self.parent, self.environment)

    def _own_scope(self, before: Joined | None) -> Scope:
        """No columns of its own, those of the tables before it around."""
        return Scope(Tables(), self._beside(before), self.environment)

    def _lateral(self, node: exp.Lateral, before: Joined | None) -> Joined:
        refuse_clauses(node, ("this", "alias"), self.context.source)
        inner = node.this
        if isinstance(inner, exp.Unnest):
            return self._named(unnest_tables.bind_unnest(inner, self.context, self._own_scope(before)), node, "unnest")
        if isinstance(inner, exp.GenerateSeries):
            bound, name = unnest_tables.bind_series(inner, self.context, self._own_scope(before))
            return self._named(bound, node, name)
        if not isinstance(inner, exp.Query | exp.Values):
            raise self.context.source.unsupported(
                f"LATERAL {inner.sql_name() if isinstance(inner, exp.Func) else inner.key.upper()}", node
            )
        bound = self.context.bind_query(inner, self.context, self.environment, self._beside(before))
        return self._named(bound, node)

    def _table(self, node: exp.Table, before: Joined | None) -> Joined:
        refuse_clauses(node, ("this", "alias", "db", "catalog", "joins", "hints", "only", "final"), self.context.source)
        path: tuple[str, ...] = ()
        name: str | None = None
        if isinstance(node.this, exp.Values):  # as the first in parentheses: ((VALUES ...) v JOIN ...)
            bound = values.bind_values(node.this, self.context, self.environment, self._around(before))
        elif isinstance(node.this, exp.GenerateSeries) and not series.is_of_numbers(node.this):
            bound, name = unnest_tables.bind_series(node.this, self.context, self._own_scope(before))
        else:
            bound, name, path = table_source.bind_table(node, self.context, self.environment)
        source = self._named(bound, node, name, path)
        joins = node.args.get("joins") or []
        if not joins:
            return source
        return self._more(source, node, joins, before)

    def _more(self, source: Joined, node: exp.Expr, joins: list[exp.Expr], before: Joined | None) -> Joined:
        for join in joins:
            if _is_comma(join):
                raise self.context.source.error("a comma cannot stand here", join, "write CROSS JOIN")
            source = self._checked(self._join(source, join, before), join)
        return source

    def _derived(self, node: exp.Subquery, before: Joined | None) -> Joined:
        refuse_clauses(node, ("this", "alias", "with_", "joins", "order", "limit", "offset"), self.context.source)
        inner = node.this
        if isinstance(inner, exp.Table | exp.Subquery) and (inner.args.get("joins") or isinstance(inner, exp.Table)):
            source = self.table(inner, before)
            if node.args.get("alias") is not None:
                source = self._named(Bound(source.relation, source.tables.star), node, "")
        else:
            bound = self.context.bind_query(node, self.context, self.environment, self._around(before))
            source = self._named(bound, node)
        return self._more(source, node, node.args.get("joins") or [], before)

    def _named(self, bound: Bound, node: exp.Expr, name: str | None = None, path: tuple[str, ...] = ()) -> Joined:
        alias = node.args.get("alias")
        columns: tuple[exp.Identifier, ...] = ()
        if alias is not None:
            if alias.this is not None:
                name, path = alias.this.name, ()
            columns = tuple(alias.args.get("columns") or ())
        if name is None:
            number = next(self.unnamed)
            name = "unnamed_subquery" if number == 1 else f"unnamed_subquery{number}"
        bound = renamed(bound, columns, self.context, name or "the table")
        return Joined(bound.relation, Tables((Range(name, bound.fields, path),), bound.fields))


def _is_comma(join: exp.Expr) -> bool:
    args = join.args
    return not any(args.get(key) for key in ("kind", "side", "method", "on", "using", "global", "match_condition", "pivots"))

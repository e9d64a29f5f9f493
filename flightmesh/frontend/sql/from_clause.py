"""Binds FROM: tables, views, files, derived tables and joins.

Handed a SELECT's FROM and joins; hands on the relation of their rows and the tables that expressions may name. What
always holds: commas bind weaker than JOIN, each table's columns get fresh ids, and what USING merges shows once in
`*`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from flightmesh.expression.nodes import Field
from flightmesh.frontend.sql import query, table_source, values
from flightmesh.frontend.sql.context import Bound, Context
from flightmesh.frontend.sql.ctes import Environment
from flightmesh.frontend.sql.refusals import refuse_clauses
from flightmesh.frontend.sql.scope import Range, Scope, Tables
from flightmesh.logical.relations import Join, JoinKind, Relation


@dataclass(frozen=True, slots=True)
class Source:
    """A relation with the names it is read by."""

    relation: Relation
    tables: Tables


@dataclass(frozen=True, slots=True)
class FromBinder:
    """Binds the FROM clause of one query."""

    context: Context
    environment: Environment
    parent: Scope | None

    def bind(self, select: exp.Expr) -> Source:
        """The rows of a SELECT before WHERE; one row without columns where there is no FROM."""
        first = select.args.get("from_")
        joins: list[exp.Expr] = select.args.get("joins") or []
        if first is None:
            if joins:
                raise self.context.source.error("a join needs FROM", joins[0])
            return Source(values.one_row(), Tables())
        return self._joined(first.this, joins)

    def _joined(self, first: exp.Expr, joins: list[exp.Expr]) -> Source:
        groups: list[tuple[exp.Expr, list[exp.Expr]]] = [(first, [])]
        for join in joins:
            if _is_comma(join):
                self._refuse_bare_join(join)
                groups.append((join.this, []))
            else:
                groups[-1][1].append(join)
        source = self._group(*groups[0])
        for head, rest in groups[1:]:
            other = self._group(head, rest)
            source = self._checked(
                Source(Join(source.relation, other.relation, JoinKind.INNER), side_by_side(source, other)), head
            )
        return source

    def _refuse_bare_join(self, join: exp.Expr) -> None:
        """`a JOIN b` without a condition looks like `a, b` in the tree; only the text tells them apart."""
        if self.context.dialect_name not in ("duckdb", "postgres"):
            return
        word = self.context.source.before(join.this)
        if word is not None and word.upper() == "JOIN":
            raise self.context.source.error("a join needs ON or USING", join, "for every pair of rows write CROSS JOIN")

    def _group(self, head: exp.Expr, joins: list[exp.Expr]) -> Source:
        from flightmesh.frontend.sql.joins import bind_join

        source = self.table(head)
        for join in joins:
            source = self._checked(bind_join(self, source, join), join)
        return source

    def _checked(self, source: Source, node: exp.Expr) -> Source:
        """Refuses two tables of one name."""
        seen: set[tuple[str, ...]] = set()
        for owner in source.tables.ranges:
            key = (owner.name.casefold(), *(part.casefold() for part in owner.path))
            if key in seen:
                raise self.context.source.error(f"two tables are named {owner.name!r}", node, "give one of them an alias")
            seen.add(key)
        return source

    def table(self, node: exp.Expr) -> Source:
        """One table of FROM, under its alias."""
        match node:
            case exp.Table():
                return self._table(node)
            case exp.Subquery():
                return self._derived(node)
            case exp.Values():
                bound = values.bind_values(node, self.context, self.environment, self.parent)
                return self._named(bound, node, "values")
            case exp.Lateral():
                raise self.context.source.unsupported("LATERAL", node)
            case exp.Unnest():
                raise self.context.source.unsupported("unnest", node)
            case exp.Select() | exp.SetOperation():
                return self._named(query.bind_query(node, self.context, self.environment, self.parent), node, "subquery")
        raise self.context.source.unsupported(f"{node.key.upper()} in FROM", node)

    def _table(self, node: exp.Table) -> Source:
        refuse_clauses(node, ("this", "alias", "db", "catalog", "joins", "hints", "only", "final"), self.context.source)
        bound, name, path = table_source.bind_table(node, self.context, self.environment)
        source = self._named(bound, node, name, path)
        joins = node.args.get("joins") or []
        if not joins:
            return source
        return self._more(source, node, joins)

    def _more(self, source: Source, node: exp.Expr, joins: list[exp.Expr]) -> Source:
        from flightmesh.frontend.sql.joins import bind_join

        for join in joins:
            if _is_comma(join):
                raise self.context.source.error("a comma cannot stand here", join, "write CROSS JOIN")
            source = self._checked(bind_join(self, source, join), join)
        return source

    def _derived(self, node: exp.Subquery) -> Source:
        refuse_clauses(node, ("this", "alias", "with_", "joins", "order", "limit", "offset"), self.context.source)
        inner = node.this
        if isinstance(inner, exp.Table | exp.Subquery) and (inner.args.get("joins") or isinstance(inner, exp.Table)):
            source = self.table(inner)
            if node.args.get("alias") is not None:
                source = self._named(Bound(source.relation, source.tables.star), node, "")
        else:
            bound = query.bind_query(node, self.context, self.environment, self.parent)
            source = self._named(bound, node, "subquery")
        return self._more(source, node, node.args.get("joins") or [])

    def _named(self, bound: Bound, node: exp.Expr, name: str, path: tuple[str, ...] = ()) -> Source:
        alias = node.args.get("alias")
        columns: tuple[exp.Identifier, ...] = ()
        if alias is not None:
            if alias.this is not None:
                name, path = alias.this.name, ()
            columns = tuple(alias.args.get("columns") or ())
        bound = query.renamed(bound, columns, self.context, name or "the table")
        return Source(bound.relation, Tables((Range(name, bound.fields, path),), bound.fields))


def _is_comma(join: exp.Expr) -> bool:
    args = join.args
    return not any(args.get(key) for key in ("kind", "side", "method", "on", "using", "global", "match_condition", "pivots"))


def side_by_side(left: Source, right: Source) -> Tables:
    """The tables of two sides, nothing merged."""
    mine, other = left.tables, right.tables
    return Tables(
        (*mine.ranges, *other.ranges), (*mine.star, *other.star), mine.hidden | other.hidden, (*mine.merged, *other.merged)
    )


def visible(tables: Tables, name: str) -> list[Field]:
    """The columns that a bare name means among these tables."""
    wanted = name.casefold()
    found = [f for owner in tables.ranges for f in owner.fields if f.name.casefold() == wanted and f.id not in tables.hidden]
    return found + [f for f in tables.merged if f.name.casefold() == wanted and f.id not in tables.hidden]

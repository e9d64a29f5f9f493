"""The select list: its items, with stars expanded, and the names that other clauses may use for them.

Handed a SELECT's expressions and its tables; hands on one item a column. What always holds: an item is bound once for
the list, and an alias seen by another clause is bound anew in that clause, where its subqueries then go.
"""

from __future__ import annotations

from dataclasses import field

from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Column, Expression, Field
from flightmesh.frontend.sql.clause import Alias, Clause
from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.expressions import ExpressionBinder
from flightmesh.frontend.sql.scope import Scope, Tables, nearest
from flightmesh.frontend.sql.titles import column_title


@dataclass(slots=True)
class SelectItem:
    """One output column: `node` is what was written, `column` what a star stands for, `bound` its expression once known."""

    name: str
    node: exp.Expr
    column: Expression | None = None
    bound: Expression | None = None

    @property
    def alias(self) -> str | None:
        """The name that the query gave it, if it did."""
        return self.name if isinstance(self.node, exp.Alias) else None

    @property
    def title(self) -> str:
        """The column's name in the result: a column without an alias goes by its own name, however it was spelt."""
        plain = isinstance(self.node, exp.Column) and self.column is None
        return self.bound.name if plain and isinstance(self.bound, Column) else self.name

    @property
    def expression_node(self) -> exp.Expr:
        """What was written, without the name."""
        return self.node.this if isinstance(self.node, exp.Alias) else self.node


def expand(select: exp.Expr, tables: Tables, context: Context) -> list[SelectItem]:
    """The items of a select list, one for each column of a star."""
    items: list[SelectItem] = []
    for node in select.expressions:
        if isinstance(node, exp.Star):
            items += _star(node, node, tables.star, tables, context)
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            qualifier = tuple(part.name for part in node.parts[:-1])
            items += _star(node, node.this, _fields_of(node, qualifier, tables, context), tables, context)
        elif isinstance(node, exp.Aliases):
            raise context.source.unsupported("several names for one expression", node)
        else:
            items.append(SelectItem(column_title(node), node))
    return items


def _fields_of(node: exp.Expr, qualifier: tuple[str, ...], tables: Tables, context: Context) -> tuple[Field, ...]:
    found = [owner for owner in tables.ranges if owner.answers(qualifier)]
    if len(found) == 1:
        return found[0].fields
    shown = ".".join(qualifier)
    if found:
        raise context.source.error(f"{shown} is ambiguous", node, "give the tables different aliases")
    near = nearest(qualifier[-1], {owner.name: owner.name for owner in tables.ranges})
    names = ", ".join(owner.name for owner in tables.ranges[:8])
    hint = f"did you mean {near}.*?" if near else f"tables here are {names}" if names else "there is no FROM clause"
    raise context.source.error(f"there is no table {shown!r} in this query", node, hint)


def _star(node: exp.Expr, star: exp.Expr, fields: tuple[Field, ...], tables: Tables, context: Context) -> list[SelectItem]:
    if not tables.ranges:
        raise context.source.error("* needs a FROM clause", node)
    dropped = {part.name.casefold(): part for part in star.args.get("except_") or ()}
    replaced = {part.alias.casefold(): part for part in star.args.get("replace") or ()}
    renamed = {part.this.name.casefold(): part for part in star.args.get("rename") or ()}
    known = {f.name.casefold() for f in fields}
    for name, part in (*dropped.items(), *replaced.items(), *renamed.items()):
        if name not in known:
            near = nearest(name, {f.name: f.name for f in fields})
            raise context.source.error(f"* has no column {name!r}", part, f"did you mean {near}?" if near else None)
    items = []
    for item in fields:
        name = item.name.casefold()
        if name in dropped:
            continue
        if name in replaced:
            items.append(SelectItem(item.name, replaced[name].this))
            continue
        items.append(SelectItem(renamed[name].alias if name in renamed else item.name, node, item.column()))
    return items


@dataclass(slots=True)
class Aliases:
    """The names of a select list as other clauses see them."""

    items: list[SelectItem]
    context: Context
    scope: Scope
    active: list[int] = field(default_factory=list)

    def names(self) -> dict[str, str]:
        """All aliases, for suggestions."""
        return {item.alias: item.alias for item in self.items if item.alias is not None}

    def position(self, name: str) -> int | None:
        """The first item of this alias."""
        wanted = name.casefold()
        return next(
            (i for i, item in enumerate(self.items) if item.alias is not None and item.alias.casefold() == wanted), None
        )

    def bound_in(self, clause: Clause) -> Alias:
        """Aliases bound anew as part of `clause`."""

        def alias(name: str) -> Expression | None:
            found = self.position(name)
            if found is None or found in self.active:
                return None
            self.active.append(found)
            try:
                return ExpressionBinder(self.context, self.scope, clause).bind(self.items[found].expression_node)
            finally:
                self.active.pop()

        return alias

    def earlier(self) -> Alias:
        """Aliases of the items that are bound already, for the items after them."""

        def alias(name: str) -> Expression | None:
            found = self.position(name)
            return None if found is None else self.items[found].bound

        return alias
